using System.Numerics;
using MemVirt.Cpu.Decoding;

namespace MemVirt.Cpu.Execution;

/// <summary>What a bit instruction does to the bit.</summary>
internal interface IBitChange
{
    static abstract bool Writes { get; }

    static abstract ulong Apply(ulong value, ulong bit);
}

internal readonly struct KeepBit : IBitChange
{
    public static bool Writes => false;

    public static ulong Apply(ulong value, ulong bit) => value;
}

internal readonly struct SetBit : IBitChange
{
    public static bool Writes => true;

    public static ulong Apply(ulong value, ulong bit) => value | bit;
}

internal readonly struct ResetBit : IBitChange
{
    public static bool Writes => true;

    public static ulong Apply(ulong value, ulong bit) => value & ~bit;
}

internal readonly struct ComplementBit : IBitChange
{
    public static bool Writes => true;

    public static ulong Apply(ulong value, ulong bit) => value ^ bit;
}

/// <summary>BT, BTS, BTR and BTC: CF alone.</summary>
internal static unsafe class BitTest<TChange, TWidth>
    where TChange : struct, IBitChange
    where TWidth : struct, IWidth
{
    public static Op* RegisterRegister(Processor processor, Op* op) => OnRegister(processor, op, TWidth.Get(processor.R + op->Source));

    public static Op* RegisterImmediate(Processor processor, Op* op) => OnRegister(processor, op, op->Immediate);

    public static Op* MemoryImmediate(Processor processor, Op* op) => OnMemory(processor, op, processor.Address(op), op->Immediate);

    /// <summary>The register reaches beyond the operand, either way (Intel SDM Vol. 2 §3.1.1.9, bit strings).</summary>
    public static Op* MemoryRegister(Processor processor, Op* op)
    {
        ulong index = TWidth.Get(processor.R + op->Source);
        long bytes = (TWidth.SignExtend(index) >> Shift) * (TWidth.Bits / 8);
        ulong effective = (processor.EffectiveAddress(op) + (ulong)bytes) & op->AddressMask;
        return OnMemory(processor, op, effective + processor.Register(op->Segment), index);
    }

    private static int Shift => TWidth.Bits == 16 ? 4 : TWidth.Bits == 32 ? 5 : 6;

    private static Op* OnRegister(Processor processor, Op* op, ulong index)
    {
        byte* place = processor.R + op->Destination;
        ulong value = TWidth.Get(place);
        ulong bit = 1UL << (int)(index & (ulong)(TWidth.Bits - 1));
        processor.Flags.SetCarry((value & bit) != 0);
        if (TChange.Writes)
        {
            TWidth.PutRegister(place, TChange.Apply(value, bit));
        }

        return op + 1;
    }

    private static Op* OnMemory(Processor processor, Op* op, ulong address, ulong index)
    {
        ulong bit = 1UL << (int)(index & (ulong)(TWidth.Bits - 1));
        if (!TChange.Writes)
        {
            if (!processor.Load<TWidth>(op, address, out ulong read))
            {
                return null;
            }

            processor.Flags.SetCarry((read & bit) != 0);
            return op + 1;
        }

        byte* place = processor.BeginModify(op, address, TWidth.Bits / 8);
        if (place == null)
        {
            return null;
        }

        ulong value = TWidth.Get(place);
        processor.Flags.SetCarry((value & bit) != 0);
        TWidth.Put(place, TChange.Apply(value, bit));
        processor.EndModify(op, place, TWidth.Bits / 8);
        return op + 1;
    }
}

/// <summary>BSF, BSR, POPCNT, and the conversions of the accumulator.</summary>
internal static unsafe class BitScan<TWidth>
    where TWidth : struct, IWidth
{
    public static Op* Forward(Processor processor, Op* op) => Scan(processor, op, isForward: true);

    public static Op* Reverse(Processor processor, Op* op) => Scan(processor, op, isForward: false);

    public static Op* PopulationCount(Processor processor, Op* op)
    {
        if (!processor.Profile.PopulationCount)
        {
            return processor.Raise(op, Interrupts.Vector.InvalidOpcode);
        }

        if (!TryOperand(processor, op, out ulong value))
        {
            return null;
        }

        TWidth.PutRegister(processor.R + op->Destination, (ulong)BitOperations.PopCount(value));
        processor.Flags.Set(value == 0 ? LazyFlags.Zero : 0);
        return op + 1;
    }

    private static Op* Scan(Processor processor, Op* op, bool isForward)
    {
        if (!TryOperand(processor, op, out ulong value))
        {
            return null;
        }

        // The other flags are undefined; they are kept.
        processor.Flags.SetZero(value == 0);
        if (value != 0)
        {
            int index = isForward ? BitOperations.TrailingZeroCount(value) : BitOperations.Log2(value);
            TWidth.PutRegister(processor.R + op->Destination, (ulong)index);
        }

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
}
