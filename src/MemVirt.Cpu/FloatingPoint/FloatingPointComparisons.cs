using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.FloatingPoint.Arithmetic;

namespace MemVirt.Cpu.FloatingPoint;

/// <summary>x87 instructions that compare (Intel SDM Vol. 1 §8.3.6).</summary>
internal static unsafe class FloatingPointComparisons
{
    /// <summary>FCOM, FUCOM, FICOM, FCOMI, FUCOMI and their forms that pop.</summary>
    public static Op* Compare(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterWaiting(processor, op))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        bool isMemory = (op->Traits & OpTraits.Memory) != 0;
        Unpacked other = default;
        if (isMemory && !FloatingPointEntry.TryRead(processor, op, out other))
        {
            return null;
        }

        FloatingPointEntry.Note(processor, op);
        var traits = (FloatingPointTraits)op->Extra;
        FloatEnvironment environment = default;
        FloatOrder order = FloatOrder.Unordered;
        if (!unit.IsUsed(0) || (!isMemory && !unit.IsUsed(op->Source)))
        {
            environment.Flags = FloatFlags.Invalid | FloatFlags.StackFault;
        }
        else
        {
            other = isMemory ? other : Unpacked.Of(unit[op->Source]);
            order = FloatComparison.Compare(ref environment, Unpacked.Of(unit[0]), other, (traits & FloatingPointTraits.Quiet) != 0);
        }

        Finish(processor, traits, environment.Flags, order);
        return op + 1;
    }

    /// <summary>FTST: against 0.</summary>
    public static Op* Test(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterWaiting(processor, op))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        FloatingPointEntry.Note(processor, op);
        FloatEnvironment environment = default;
        FloatOrder order = FloatOrder.Unordered;
        if (!unit.IsUsed(0))
        {
            environment.Flags = FloatFlags.Invalid | FloatFlags.StackFault;
        }
        else
        {
            order = FloatComparison.Compare(ref environment, Unpacked.Of(unit[0]), Unpacked.Zero(false), isQuiet: false);
        }

        Finish(processor, FloatingPointTraits.None, environment.Flags, order);
        return op + 1;
    }

    /// <summary>FXAM: what ST(0) is.</summary>
    public static Op* Examine(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterWaiting(processor, op))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        FloatingPointEntry.Note(processor, op);
        Unpacked value = Unpacked.Of(unit[0]);
        int c320 = !unit.IsUsed(0) ? 5 : value.Kind switch
        {
            FloatKind.Unsupported => 0,
            FloatKind.QuietNaN or FloatKind.SignalingNaN => 1,
            FloatKind.Infinity => 3,
            FloatKind.Zero => 4,
            _ => value.IsDenormal ? 6 : 2,
        };
        unit.SetConditions(c320);
        unit.SetC1((unit[0].SignAndExponent & 0x8000) != 0);
        return op + 1;
    }

    private static void Finish(Processor processor, FloatingPointTraits traits, FloatFlags flags, FloatOrder order)
    {
        FloatingPointUnit unit = processor.FloatingPoint;
        if (!unit.Settle(flags, c1: false))
        {
            return;
        }

        int c320 = order switch { FloatOrder.Less => 1, FloatOrder.Equal => 4, FloatOrder.Greater => 0, _ => 7 };
        if ((traits & FloatingPointTraits.ToFlags) != 0)
        {
            processor.Flags.Set(
                ((c320 & 4) != 0 ? LazyFlags.Zero : 0) | ((c320 & 2) != 0 ? LazyFlags.Parity : 0) | ((c320 & 1) != 0 ? LazyFlags.Carry : 0));
        }
        else
        {
            unit.SetConditions(c320);
        }

        if ((traits & (FloatingPointTraits.Pop | FloatingPointTraits.PopTwice)) != 0)
        {
            unit.Pop();
        }

        if ((traits & FloatingPointTraits.PopTwice) != 0)
        {
            unit.Pop();
        }
    }
}
