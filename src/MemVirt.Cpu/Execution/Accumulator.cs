using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.Execution;

/// <summary>CBW and its kin, XLAT, the decimal adjustments, BOUND.</summary>
internal static unsafe class Accumulator
{
    public static Op* ConvertByte(Processor processor, Op* op)
    {
        byte* rax = processor.R + RegisterFile.Rax;
        Width16.PutRegister(rax, (ulong)Width8.SignExtend(*rax));
        return op + 1;
    }

    public static Op* ConvertWord(Processor processor, Op* op)
    {
        byte* rax = processor.R + RegisterFile.Rax;
        Width32.PutRegister(rax, (ulong)Width16.SignExtend(Width16.Get(rax)));
        return op + 1;
    }

    public static Op* ConvertDoubleword(Processor processor, Op* op)
    {
        ref ulong rax = ref processor.Register(RegisterFile.Rax);
        rax = (ulong)Width32.SignExtend(rax);
        return op + 1;
    }

    /// <summary>CWD, CDQ, CQO.</summary>
    public static Op* SignInto<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
    {
        long value = TWidth.SignExtend(TWidth.Get(processor.R + RegisterFile.Rax));
        TWidth.PutRegister(processor.R + RegisterFile.Rdx, (ulong)(value >> 63));
        return op + 1;
    }

    public static Op* Translate(Processor processor, Op* op)
    {
        ulong effective = (processor.Register(RegisterFile.Rbx) + processor.R[RegisterFile.Rax]) & op->AddressMask;
        if (!processor.Load<Width8>(op, effective + processor.Register(op->Segment), out ulong value))
        {
            return null;
        }

        processor.R[RegisterFile.Rax] = (byte)value;
        return op + 1;
    }

    public static Op* DecimalAdjustAdd(Processor processor, Op* op) => DecimalAdjust(processor, op, isAddition: true);

    public static Op* DecimalAdjustSubtract(Processor processor, Op* op) => DecimalAdjust(processor, op, isAddition: false);

    public static Op* AsciiAdjustAdd(Processor processor, Op* op) => AsciiAdjust(processor, op, isAddition: true);

    public static Op* AsciiAdjustSubtract(Processor processor, Op* op) => AsciiAdjust(processor, op, isAddition: false);

    /// <summary>AAM.</summary>
    public static Op* AsciiAdjustMultiply(Processor processor, Op* op)
    {
        var radix = (byte)op->Immediate;
        if (radix == 0)
        {
            return processor.Raise(op, Vector.DivideError);
        }

        byte* rax = processor.R + RegisterFile.Rax;
        byte al = rax[0];
        rax[1] = (byte)(al / radix);
        rax[0] = (byte)(al % radix);
        processor.Flags.SetLogic<Width8>(rax[0]);
        return op + 1;
    }

    /// <summary>AAD.</summary>
    public static Op* AsciiAdjustDivide(Processor processor, Op* op)
    {
        byte* rax = processor.R + RegisterFile.Rax;
        rax[0] = (byte)(rax[0] + (rax[1] * (byte)op->Immediate));
        rax[1] = 0;
        processor.Flags.SetLogic<Width8>(rax[0]);
        return op + 1;
    }

    public static Op* Bound<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
    {
        ulong address = processor.Address(op);
        if (!processor.Load<TWidth>(op, address, out ulong lower) || !processor.Load<TWidth>(op, address + (ulong)(TWidth.Bits / 8), out ulong upper))
        {
            return null;
        }

        long index = TWidth.SignExtend(TWidth.Get(processor.R + op->Destination));
        return index < TWidth.SignExtend(lower) || index > TWidth.SignExtend(upper) ? processor.Raise(op, Vector.BoundRange) : op + 1;
    }

    private static Op* DecimalAdjust(Processor processor, Op* op, bool isAddition)
    {
        byte* rax = processor.R + RegisterFile.Rax;
        byte al = rax[0];
        bool oldCarry = processor.Flags.C;
        bool low = (al & 15) > 9 || processor.Flags.A;
        bool high = al > 0x99 || oldCarry;
        int adjusted = al;
        bool carry = false;
        if (low)
        {
            adjusted = isAddition ? adjusted + 6 : adjusted - 6;
            carry = oldCarry || (isAddition ? al > 0xFF - 6 : al < 6);
        }

        if (high)
        {
            adjusted = isAddition ? adjusted + 0x60 : adjusted - 0x60;
            carry = true;
        }
        else if (isAddition)
        {
            carry = false;
        }

        rax[0] = (byte)adjusted;
        Finish(processor, rax[0], carry, low);
        return op + 1;
    }

    private static Op* AsciiAdjust(Processor processor, Op* op, bool isAddition)
    {
        byte* rax = processor.R + RegisterFile.Rax;
        bool adjust = (rax[0] & 15) > 9 || processor.Flags.A;
        if (adjust)
        {
            ushort ax = *(ushort*)rax;
            *(ushort*)rax = (ushort)(isAddition ? ax + 0x106 : ax - 0x106);
        }

        rax[0] &= 15;
        Finish(processor, rax[0], adjust, adjust);
        return op + 1;
    }

    private static void Finish(Processor processor, byte result, bool carry, bool auxiliary)
    {
        processor.Flags.SetShift<Width8>(result, carry, overflow: false);
        processor.Flags.Carries |= auxiliary ? 8UL : 0;
    }
}
