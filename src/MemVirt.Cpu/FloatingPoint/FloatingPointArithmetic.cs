using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.FloatingPoint.Arithmetic;

namespace MemVirt.Cpu.FloatingPoint;

/// <summary>
/// x87 instructions that compute (Intel SDM Vol. 1 §8.3.5). <see cref="Op.Detail"/> is the <see cref="FloatingPointOperation"/>,
/// <see cref="Op.Destination"/> and <see cref="Op.Source"/> are i of ST(i).
/// </summary>
internal static unsafe class FloatingPointArithmetic
{
    /// <summary>FADD, FSUB, FMUL, FDIV and their forms that reverse, pop or take memory.</summary>
    public static Op* Binary(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterWaiting(processor, op))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        bool isMemory = (op->Traits & OpTraits.Memory) != 0;
        Unpacked source = default;
        if (isMemory && !FloatingPointEntry.TryRead(processor, op, out source))
        {
            return null;
        }

        FloatingPointEntry.Note(processor, op);
        var traits = (FloatingPointTraits)op->Extra;
        int to = op->Destination;
        if (!unit.IsUsed(to) || (!isMemory && !unit.IsUsed(op->Source)))
        {
            if (FloatingPointEntry.TryStackFault(unit, isOverflow: false))
            {
                unit.Put(to, Unpacked.DefaultNaN.Pack());
                Pop(unit, traits);
            }

            return op + 1;
        }

        Unpacked first = Unpacked.Of(unit[to]);
        Unpacked second = isMemory ? source : Unpacked.Of(unit[op->Source]);
        if ((traits & FloatingPointTraits.Reversed) != 0)
        {
            (first, second) = (second, first);
        }

        FloatEnvironment environment = FloatEnvironment.OfControl(unit.Control, isPrecisionControlled: true);
        Unpacked result = (FloatingPointOperation)op->Detail switch
        {
            FloatingPointOperation.Add => FloatArithmetic.Add(ref environment, FloatFormat.Extended, first, second),
            FloatingPointOperation.Subtract => FloatArithmetic.Subtract(ref environment, FloatFormat.Extended, first, second),
            FloatingPointOperation.Multiply => FloatArithmetic.Multiply(ref environment, FloatFormat.Extended, first, second),
            _ => FloatArithmetic.Divide(ref environment, FloatFormat.Extended, first, second),
        };
        if (unit.Settle(environment.Flags, environment.RoundedUp))
        {
            unit[to] = result.Pack();
            Pop(unit, traits);
        }

        return op + 1;
    }

    /// <summary>FSQRT, FRNDINT, FSCALE: ST(0) of itself, and ST(1).</summary>
    public static Op* Unary(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterWaiting(processor, op))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        FloatingPointEntry.Note(processor, op);
        var operation = (FloatingPointOperation)op->Detail;
        if (!unit.IsUsed(0) || (operation == FloatingPointOperation.Scale && !unit.IsUsed(1)))
        {
            if (FloatingPointEntry.TryStackFault(unit, isOverflow: false))
            {
                unit.Put(0, Unpacked.DefaultNaN.Pack());
            }

            return op + 1;
        }

        FloatEnvironment environment = FloatEnvironment.OfControl(unit.Control, operation == FloatingPointOperation.SquareRoot);
        Unpacked value = Unpacked.Of(unit[0]);
        Unpacked result = operation switch
        {
            FloatingPointOperation.SquareRoot => FloatArithmetic.SquareRoot(ref environment, FloatFormat.Extended, value),
            FloatingPointOperation.RoundToInteger => FloatIntegers.Round(ref environment, value),
            _ => FloatScaling.Scale(ref environment, value, Unpacked.Of(unit[1])),
        };
        if (unit.Settle(environment.Flags, environment.RoundedUp))
        {
            unit[0] = result.Pack();
        }

        return op + 1;
    }

    /// <summary>FCHS, FABS: the sign alone, whatever it is the sign of.</summary>
    public static Op* Sign(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterWaiting(processor, op))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        FloatingPointEntry.Note(processor, op);
        if (!unit.IsUsed(0))
        {
            if (FloatingPointEntry.TryStackFault(unit, isOverflow: false))
            {
                unit.Put(0, Unpacked.DefaultNaN.Pack());
            }

            return op + 1;
        }

        ushort old = unit[0].SignAndExponent;
        bool isAbsolute = (FloatingPointOperation)op->Detail == FloatingPointOperation.Absolute;
        unit[0] = unit[0] with { SignAndExponent = (ushort)(isAbsolute ? old & 0x7FFF : old ^ 0x8000) };
        unit.SetC1(false);
        return op + 1;
    }

    /// <summary>FXTRACT: ST(0) becomes its exponent, and its significand is pushed.</summary>
    public static Op* Extract(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterWaiting(processor, op))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        FloatingPointEntry.Note(processor, op);
        if (!unit.IsUsed(0) || unit.IsUsed(7))
        {
            if (FloatingPointEntry.TryStackFault(unit, isOverflow: unit.IsUsed(0)))
            {
                unit.Put(0, Unpacked.DefaultNaN.Pack());
                unit.Push(Unpacked.DefaultNaN.Pack());
            }

            return op + 1;
        }

        FloatEnvironment environment = FloatEnvironment.OfControl(unit.Control, isPrecisionControlled: false);
        (Unpacked exponent, Unpacked significand) = FloatScaling.Extract(ref environment, Unpacked.Of(unit[0]));
        if (unit.Settle(environment.Flags, c1: false))
        {
            unit[0] = exponent.Pack();
            unit.Push(significand.Pack());
        }

        return op + 1;
    }

    /// <summary>FPREM, FPREM1: C2 says that the reduction is not complete; C0, C3, C1 are bits 2 to 0 of the quotient.</summary>
    public static Op* Remainder(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterWaiting(processor, op))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        FloatingPointEntry.Note(processor, op);
        unit.ClearC2();
        if (!unit.IsUsed(0) || !unit.IsUsed(1))
        {
            if (FloatingPointEntry.TryStackFault(unit, isOverflow: false))
            {
                unit.Put(0, Unpacked.DefaultNaN.Pack());
            }

            return op + 1;
        }

        FloatEnvironment environment = FloatEnvironment.OfControl(unit.Control, isPrecisionControlled: false);
        bool toNearest = (FloatingPointOperation)op->Detail == FloatingPointOperation.RemainderToNearest;
        Unpacked result = FloatRemainder.Reduce(
            ref environment, Unpacked.Of(unit[0]), Unpacked.Of(unit[1]), toNearest, out ulong quotient, out bool isComplete);
        if (unit.Settle(environment.Flags, c1: false))
        {
            unit[0] = result.Pack();
            if (!result.IsNaN)
            {
                unit.SetConditions(isComplete ? (int)(((quotient & 2) << 1) | (quotient >> 2 & 1)) : 2);
                unit.SetC1(isComplete && (quotient & 1) != 0);
            }
        }

        return op + 1;
    }

    private static void Pop(FloatingPointUnit unit, FloatingPointTraits traits)
    {
        if ((traits & FloatingPointTraits.Pop) != 0)
        {
            unit.Pop();
        }
    }
}
