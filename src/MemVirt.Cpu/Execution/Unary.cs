using System.Runtime.CompilerServices;
using MemVirt.Cpu.Decoding;

namespace MemVirt.Cpu.Execution;

/// <summary>A one-operand instruction, or one whose second operand is CL or an immediate in <see cref="Op.Immediate"/>.</summary>
internal unsafe interface IUnary
{
    static abstract ulong Apply<TWidth>(Processor processor, Op* op, ulong value)
        where TWidth : struct, IWidth;
}

/// <summary>Its two forms.</summary>
internal static unsafe class Unary<TUnary, TWidth>
    where TUnary : struct, IUnary
    where TWidth : struct, IWidth
{
    public static Op* OnRegister(Processor processor, Op* op)
    {
        byte* place = processor.R + op->Destination;
        TWidth.PutRegister(place, TUnary.Apply<TWidth>(processor, op, TWidth.Get(place)));
        return op + 1;
    }

    public static Op* OnMemory(Processor processor, Op* op)
    {
        byte* place = processor.BeginModify(op, processor.Address(op), TWidth.Bits / 8);
        if (place == null)
        {
            return null;
        }

        TWidth.Put(place, TUnary.Apply<TWidth>(processor, op, TWidth.Get(place)));
        processor.EndModify(op, place, TWidth.Bits / 8);
        return op + 1;
    }
}

/// <summary>INC.</summary>
internal readonly unsafe struct Increment : IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TWidth>(Processor processor, Op* op, ulong value)
        where TWidth : struct, IWidth
    {
        bool carry = processor.Flags.C;
        ulong result = Add.Apply<TWidth>(ref processor.Flags, value, 1);
        processor.Flags.SetCarryOverflow(carry, processor.Flags.O);
        return result;
    }
}

/// <summary>DEC.</summary>
internal readonly unsafe struct Decrement : IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TWidth>(Processor processor, Op* op, ulong value)
        where TWidth : struct, IWidth
    {
        bool carry = processor.Flags.C;
        ulong result = Subtract.Apply<TWidth>(ref processor.Flags, value, 1);
        processor.Flags.SetCarryOverflow(carry, processor.Flags.O);
        return result;
    }
}

/// <summary>NEG.</summary>
internal readonly unsafe struct Negate : IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TWidth>(Processor processor, Op* op, ulong value)
        where TWidth : struct, IWidth
        => Subtract.Apply<TWidth>(ref processor.Flags, 0, value);
}

/// <summary>NOT.</summary>
internal readonly unsafe struct Not : IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TWidth>(Processor processor, Op* op, ulong value)
        where TWidth : struct, IWidth
        => ~value;
}
