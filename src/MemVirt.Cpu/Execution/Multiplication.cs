using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.Execution;

/// <summary>MUL, IMUL, DIV and IDIV of one width. SF, ZF, AF and PF are undefined after them; here multiplication sets SF, ZF and PF by the low half.</summary>
internal static unsafe class Multiplication<TWidth>
    where TWidth : struct, IWidth
{
    public static Op* Multiply(Processor processor, Op* op)
    {
        if (!TryOperand(processor, op, out ulong right))
        {
            return null;
        }

        UInt128 product = (UInt128)TWidth.Get(processor.R + RegisterFile.Rax) * right;
        ulong high = TWidth.Truncate((ulong)(product >> TWidth.Bits));
        PutPair(processor, (ulong)product, high);
        processor.Flags.SetShift<TWidth>((ulong)product, high != 0, high != 0);
        return op + 1;
    }

    public static Op* MultiplySigned(Processor processor, Op* op)
    {
        if (!TryOperand(processor, op, out ulong right))
        {
            return null;
        }

        Int128 product = (Int128)TWidth.SignExtend(TWidth.Get(processor.R + RegisterFile.Rax)) * TWidth.SignExtend(right);
        ulong low = TWidth.Truncate((ulong)product);
        PutPair(processor, low, (ulong)(product >> TWidth.Bits));
        bool overflows = TWidth.SignExtend(low) != product;
        processor.Flags.SetShift<TWidth>(low, overflows, overflows);
        return op + 1;
    }

    /// <summary>IMUL register, register or memory.</summary>
    public static Op* MultiplyTwo(Processor processor, Op* op)
        => TryOperand(processor, op, out ulong right) ? Product(processor, op, TWidth.Get(processor.R + op->Destination), right) : null;

    /// <summary>IMUL register, register or memory, immediate.</summary>
    public static Op* MultiplyThree(Processor processor, Op* op)
        => TryOperand(processor, op, out ulong left) ? Product(processor, op, left, op->Immediate) : null;

    public static Op* Divide(Processor processor, Op* op)
    {
        if (!TryOperand(processor, op, out ulong divisor))
        {
            return null;
        }

        GetPair(processor, out ulong low, out ulong high);
        if (divisor == 0 || high >= divisor)
        {
            return processor.Raise(op, Vector.DivideError);
        }

        if (TWidth.Bits == 64 && high != 0)
        {
            UInt128 dividend = new(high, low);
            (UInt128 quotient, UInt128 remainder) = UInt128.DivRem(dividend, divisor);
            PutQuotient(processor, (ulong)quotient, (ulong)remainder);
            return op + 1;
        }

        ulong whole = TWidth.Bits == 64 ? low : (high << TWidth.Bits) | low;
        (ulong q, ulong r) = Math.DivRem(whole, divisor);
        PutQuotient(processor, q, r);
        return op + 1;
    }

    public static Op* DivideSigned(Processor processor, Op* op)
    {
        if (!TryOperand(processor, op, out ulong value))
        {
            return null;
        }

        GetPair(processor, out ulong low, out ulong high);
        long divisor = TWidth.SignExtend(value);
        if (divisor == 0)
        {
            return processor.Raise(op, Vector.DivideError);
        }

        Int128 dividend = TWidth.Bits == 64 ? new Int128(high, low) : (Int128)TWidth.SignExtend(high) << TWidth.Bits | low;
        Int128 quotient = dividend / divisor;
        if (quotient != TWidth.SignExtend((ulong)quotient))
        {
            return processor.Raise(op, Vector.DivideError);
        }

        PutQuotient(processor, (ulong)quotient, (ulong)(dividend - (quotient * divisor)));
        return op + 1;
    }

    private static Op* Product(Processor processor, Op* op, ulong left, ulong right)
    {
        Int128 product = (Int128)TWidth.SignExtend(left) * TWidth.SignExtend(right);
        ulong low = TWidth.Truncate((ulong)product);
        TWidth.PutRegister(processor.R + op->Destination, low);
        bool overflows = TWidth.SignExtend(low) != product;
        processor.Flags.SetShift<TWidth>(low, overflows, overflows);
        return op + 1;
    }

    private static bool TryOperand(Processor processor, Op* op, out ulong value)
    {
        if ((op->Traits & OpTraits.Memory) != 0)
        {
            return processor.Load<TWidth>(op, processor.Address(op), out value);
        }

        value = TWidth.Get(processor.R + op->Source);
        return true;
    }

    private static void GetPair(Processor processor, out ulong low, out ulong high)
    {
        low = TWidth.Get(processor.R + RegisterFile.Rax);
        high = TWidth.Bits == 8 ? processor.R[RegisterFile.Rax + 1] : TWidth.Get(processor.R + RegisterFile.Rdx);
    }

    private static void PutPair(Processor processor, ulong low, ulong high)
    {
        TWidth.PutRegister(processor.R + RegisterFile.Rax, low);
        if (TWidth.Bits == 8)
        {
            processor.R[RegisterFile.Rax + 1] = (byte)high;
            return;
        }

        TWidth.PutRegister(processor.R + RegisterFile.Rdx, high);
    }

    private static void PutQuotient(Processor processor, ulong quotient, ulong remainder) => PutPair(processor, quotient, remainder);
}
