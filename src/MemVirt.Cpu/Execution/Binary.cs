using MemVirt.Cpu.Decoding;

namespace MemVirt.Cpu.Execution;

/// <summary>The forms of a two-operand instruction: register or memory with register, memory or immediate.</summary>
internal static unsafe class Binary<TAlu, TWidth>
    where TAlu : struct, IAlu
    where TWidth : struct, IWidth
{
    public static Op* RegisterRegister(Processor processor, Op* op)
    {
        byte* r = processor.R;
        byte* destination = r + op->Destination;
        ulong result = TAlu.Apply<TWidth>(ref processor.Flags, TWidth.Get(destination), TWidth.Get(r + op->Source));
        if (TAlu.Writes)
        {
            TWidth.PutRegister(destination, result);
        }

        return op + 1;
    }

    public static Op* RegisterImmediate(Processor processor, Op* op)
    {
        byte* destination = processor.R + op->Destination;
        ulong result = TAlu.Apply<TWidth>(ref processor.Flags, TWidth.Get(destination), TWidth.Truncate(op->Immediate));
        if (TAlu.Writes)
        {
            TWidth.PutRegister(destination, result);
        }

        return op + 1;
    }

    public static Op* RegisterMemory(Processor processor, Op* op)
    {
        if (!processor.Load<TWidth>(op, processor.Address(op), out ulong right))
        {
            return null;
        }

        byte* destination = processor.R + op->Destination;
        ulong result = TAlu.Apply<TWidth>(ref processor.Flags, TWidth.Get(destination), right);
        if (TAlu.Writes)
        {
            TWidth.PutRegister(destination, result);
        }

        return op + 1;
    }

    public static Op* MemoryRegister(Processor processor, Op* op)
        => ToMemory(processor, op, TWidth.Get(processor.R + op->Source));

    public static Op* MemoryImmediate(Processor processor, Op* op) => ToMemory(processor, op, TWidth.Truncate(op->Immediate));

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveInlining)]
    private static Op* ToMemory(Processor processor, Op* op, ulong right)
    {
        if (!TAlu.Writes)
        {
            if (!processor.Load<TWidth>(op, processor.Address(op), out ulong left))
            {
                return null;
            }

            TAlu.Apply<TWidth>(ref processor.Flags, left, right);
            return op + 1;
        }

        byte* place = processor.BeginModify(op, processor.Address(op), TWidth.Bits / 8);
        if (place == null)
        {
            return null;
        }

        TWidth.Put(place, TAlu.Apply<TWidth>(ref processor.Flags, TWidth.Get(place), right));
        processor.EndModify(op, place, TWidth.Bits / 8);
        return op + 1;
    }
}
