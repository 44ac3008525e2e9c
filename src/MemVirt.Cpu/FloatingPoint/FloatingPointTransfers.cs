using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.FloatingPoint.Arithmetic;

namespace MemVirt.Cpu.FloatingPoint;

/// <summary>x87 instructions that move numbers (Intel SDM Vol. 1 §8.3.3 and §8.3.4).</summary>
internal static unsafe class FloatingPointTransfers
{
    /// <summary>FLD, FILD, FBLD of memory.</summary>
    public static Op* LoadMemory(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterWaiting(processor, op) || !FloatingPointEntry.TryRead(processor, op, out Unpacked value))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        FloatingPointEntry.Note(processor, op);
        if (unit.IsUsed(7))
        {
            Overflow(unit);
            return op + 1;
        }

        FloatEnvironment environment = default;
        bool isExact = (FloatingPointTraits)op->Extra != 0 || op->Size == Extended.Bytes;
        if (!isExact)
        {
            FloatArithmetic.NoteDenormals(ref environment, value, value);
            value = value.IsNaN ? FloatArithmetic.NaN(ref environment, value, value) : value;
        }

        // A denormal operand is loaded even where that is not masked.
        unit.Settle(environment.Flags, c1: false);
        if ((environment.Flags & ~(FloatFlags)unit.Control & FloatFlags.Invalid) == 0)
        {
            unit.Push(value.Pack());
        }

        return op + 1;
    }

    /// <summary>FLD of 80 bits: they are not looked at.</summary>
    public static Op* LoadExtended(Processor processor, Op* op)
    {
        Extended value;
        if (!FloatingPointEntry.TryEnterWaiting(processor, op)
            || !processor.LoadBytes(op, processor.Address(op), new Span<byte>(&value, Extended.Bytes)))
        {
            return null;
        }

        FloatingPointEntry.Note(processor, op);
        Push(processor.FloatingPoint, value);
        return op + 1;
    }

    /// <summary>FLD ST(i).</summary>
    public static Op* LoadRegister(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterWaiting(processor, op))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        FloatingPointEntry.Note(processor, op);
        if (unit.IsUsed(op->Source))
        {
            Push(unit, unit[op->Source]);
        }
        else if (FloatingPointEntry.TryStackFault(unit, isOverflow: false))
        {
            unit.Push(Unpacked.DefaultNaN.Pack());
        }

        return op + 1;
    }

    /// <summary>FLD1, FLDZ, FLDPI and the logarithms.</summary>
    public static Op* LoadConstant(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterWaiting(processor, op))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        FloatingPointEntry.Note(processor, op);
        Push(unit, FloatingPointConstants.Of(op->Detail, (Rounding)(unit.Control >> 10 & 3)));
        return op + 1;
    }

    /// <summary>FST, FSTP, FIST, FISTP, FISTTP, FBSTP to memory.</summary>
    public static Op* StoreMemory(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterWaiting(processor, op))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        FloatEnvironment environment = FloatEnvironment.OfControl(unit.Control, isPrecisionControlled: false);
        byte* buffer = stackalloc byte[16];
        Write(ref environment, op, unit.IsUsed(0) ? unit[0] : Unpacked.DefaultNaN.Pack(), buffer);
        if (!unit.IsUsed(0))
        {
            (environment.Flags, environment.RoundedUp) = (FloatFlags.Invalid | FloatFlags.StackFault, false);
        }

        bool isStored = unit.IsStored(environment.Flags);
        if (isStored && !processor.StoreBytes(op, processor.Address(op), new ReadOnlySpan<byte>(buffer, op->Size)))
        {
            return null;
        }

        FloatingPointEntry.Note(processor, op);
        unit.Settle(isStored ? environment.Flags : environment.Flags & ~FloatFlags.Precision, isStored && environment.RoundedUp);
        if (isStored && ((FloatingPointTraits)op->Extra & FloatingPointTraits.Pop) != 0)
        {
            unit.Pop();
        }

        return op + 1;
    }

    /// <summary>FST ST(i), FSTP ST(i); and FSTPNCE ST(i), which stores nothing where ST(0) is empty.</summary>
    public static Op* StoreRegister(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterWaiting(processor, op))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        FloatingPointEntry.Note(processor, op);
        Extended value = unit[0];
        bool isEmpty = !unit.IsUsed(0);
        bool isStored = !isEmpty || ((FloatingPointTraits)op->Extra & FloatingPointTraits.Quiet) == 0;
        if (isEmpty && isStored)
        {
            if (!FloatingPointEntry.TryStackFault(unit, isOverflow: false))
            {
                return op + 1;
            }

            value = Unpacked.DefaultNaN.Pack();
        }

        unit.SetC1(false);
        if (isStored)
        {
            unit.Put(op->Destination, value);
        }

        if (((FloatingPointTraits)op->Extra & FloatingPointTraits.Pop) != 0)
        {
            unit.Pop();
        }

        return op + 1;
    }

    /// <summary>FXCH.</summary>
    public static Op* Exchange(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterWaiting(processor, op))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        FloatingPointEntry.Note(processor, op);
        int other = op->Source;
        if (!unit.IsUsed(0) || !unit.IsUsed(other))
        {
            if (!FloatingPointEntry.TryStackFault(unit, isOverflow: false))
            {
                return op + 1;
            }

            foreach (int i in (ReadOnlySpan<int>)[0, other])
            {
                if (!unit.IsUsed(i))
                {
                    unit.Put(i, Unpacked.DefaultNaN.Pack());
                }
            }
        }

        unit.SetC1(false);
        (unit[0], unit[other]) = (unit[other], unit[0]);
        return op + 1;
    }

    /// <summary>FCMOVcc; <see cref="Op.Detail"/> is the condition.</summary>
    public static Op* ConditionalMove(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterWaiting(processor, op))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        FloatingPointEntry.Note(processor, op);
        if (!unit.IsUsed(0) || !unit.IsUsed(op->Source))
        {
            if (FloatingPointEntry.TryStackFault(unit, isOverflow: false))
            {
                unit.Put(0, Unpacked.DefaultNaN.Pack());
            }

            return op + 1;
        }

        if (processor.Flags.Holds(op->Detail))
        {
            unit[0] = unit[op->Source];
        }

        return op + 1;
    }

    /// <summary>ST(0) as it goes to memory.</summary>
    private static void Write(ref FloatEnvironment environment, Op* op, Extended register, byte* buffer)
    {
        var traits = (FloatingPointTraits)op->Extra;
        Unpacked value = Unpacked.Of(register);
        if ((traits & FloatingPointTraits.Integer) != 0)
        {
            Rounding rounding = (traits & FloatingPointTraits.Truncates) != 0 ? Rounding.Truncate : environment.Rounding;
            *(long*)buffer = FloatIntegers.Convert(ref environment, value, op->Size * 8, rounding);
        }
        else if ((traits & FloatingPointTraits.Decimal) != 0)
        {
            PackedDecimal.Write(ref environment, value, new Span<byte>(buffer, Extended.Bytes));
        }
        else if (op->Size == Extended.Bytes)
        {
            *(Extended*)buffer = register;
        }
        else
        {
            FloatFormat format = op->Size == 4 ? FloatFormat.Single : FloatFormat.Double;
            Unpacked result = value.IsNaN
                ? FloatArithmetic.NaN(ref environment, value, value) : Rounder.Round(ref environment, format, value);
            *(ulong*)buffer = result.Pack(format);
        }
    }

    private static void Push(FloatingPointUnit unit, Extended value)
    {
        if (unit.IsUsed(7))
        {
            Overflow(unit);
            return;
        }

        unit.SetC1(false);
        unit.Push(value);
    }

    private static void Overflow(FloatingPointUnit unit)
    {
        if (FloatingPointEntry.TryStackFault(unit, isOverflow: true))
        {
            unit.Push(Unpacked.DefaultNaN.Pack());
        }
    }
}
