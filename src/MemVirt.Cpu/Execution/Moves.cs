using System.Buffers.Binary;
using MemVirt.Cpu.Decoding;

namespace MemVirt.Cpu.Execution;

/// <summary>MOV, LEA, XCHG and their kin, of one width.</summary>
internal static unsafe class Move<TWidth>
    where TWidth : struct, IWidth
{
    public static Op* RegisterRegister(Processor processor, Op* op)
    {
        byte* r = processor.R;
        TWidth.PutRegister(r + op->Destination, TWidth.Get(r + op->Source));
        return op + 1;
    }

    public static Op* RegisterImmediate(Processor processor, Op* op)
    {
        TWidth.PutRegister(processor.R + op->Destination, op->Immediate);
        return op + 1;
    }

    public static Op* RegisterMemory(Processor processor, Op* op)
    {
        if (!processor.Load<TWidth>(op, processor.Address(op), out ulong value))
        {
            return null;
        }

        TWidth.PutRegister(processor.R + op->Destination, value);
        return op + 1;
    }

    public static Op* MemoryRegister(Processor processor, Op* op)
        => processor.Store<TWidth>(op, processor.Address(op), TWidth.Get(processor.R + op->Source)) ? op + 1 : null;

    public static Op* MemoryImmediate(Processor processor, Op* op)
        => processor.Store<TWidth>(op, processor.Address(op), op->Immediate) ? op + 1 : null;

    public static Op* LoadEffectiveAddress(Processor processor, Op* op)
    {
        TWidth.PutRegister(processor.R + op->Destination, processor.EffectiveAddress(op));
        return op + 1;
    }

    public static Op* ExchangeRegisters(Processor processor, Op* op)
    {
        byte* left = processor.R + op->Destination;
        byte* right = processor.R + op->Source;
        ulong value = TWidth.Get(left);
        TWidth.PutRegister(left, TWidth.Get(right));
        TWidth.PutRegister(right, value);
        return op + 1;
    }

    public static Op* ExchangeMemory(Processor processor, Op* op)
    {
        byte* place = processor.BeginModify(op, processor.Address(op), TWidth.Bits / 8);
        if (place == null)
        {
            return null;
        }

        byte* register = processor.R + op->Source;
        ulong value = TWidth.Get(place);
        TWidth.Put(place, TWidth.Get(register));
        TWidth.PutRegister(register, value);
        processor.EndModify(op, place, TWidth.Bits / 8);
        return op + 1;
    }

    public static Op* ConditionalRegister(Processor processor, Op* op)
    {
        byte* r = processor.R;
        byte* from = processor.Flags.Holds(op->Detail) ? r + op->Source : r + op->Destination;
        TWidth.PutRegister(r + op->Destination, TWidth.Get(from));
        return op + 1;
    }

    public static Op* ConditionalMemory(Processor processor, Op* op)
    {
        // The memory is read whether the condition holds or not.
        if (!processor.Load<TWidth>(op, processor.Address(op), out ulong value))
        {
            return null;
        }

        byte* destination = processor.R + op->Destination;
        TWidth.PutRegister(destination, processor.Flags.Holds(op->Detail) ? value : TWidth.Get(destination));
        return op + 1;
    }

    public static Op* ByteSwap(Processor processor, Op* op)
    {
        byte* register = processor.R + op->Destination;
        ulong value = TWidth.Get(register);
        ulong swapped = TWidth.Bits == 64 ? BinaryPrimitives.ReverseEndianness(value)
            : TWidth.Bits == 32 ? BinaryPrimitives.ReverseEndianness((uint)value) : 0;
        TWidth.PutRegister(register, swapped);
        return op + 1;
    }

    public static Op* ExchangeAddRegister(Processor processor, Op* op)
    {
        byte* destination = processor.R + op->Destination;
        byte* source = processor.R + op->Source;
        ulong value = TWidth.Get(destination);
        ulong sum = Add.Apply<TWidth>(ref processor.Flags, value, TWidth.Get(source));
        TWidth.PutRegister(source, value);
        TWidth.PutRegister(destination, sum);
        return op + 1;
    }

    public static Op* ExchangeAddMemory(Processor processor, Op* op)
    {
        byte* place = processor.BeginModify(op, processor.Address(op), TWidth.Bits / 8);
        if (place == null)
        {
            return null;
        }

        byte* source = processor.R + op->Source;
        ulong value = TWidth.Get(place);
        TWidth.Put(place, Add.Apply<TWidth>(ref processor.Flags, value, TWidth.Get(source)));
        TWidth.PutRegister(source, value);
        processor.EndModify(op, place, TWidth.Bits / 8);
        return op + 1;
    }

    public static Op* CompareExchangeRegister(Processor processor, Op* op)
    {
        byte* destination = processor.R + op->Destination;
        byte* accumulator = processor.R + RegisterFile.Rax;
        ulong value = TWidth.Get(destination);
        Subtract.Apply<TWidth>(ref processor.Flags, TWidth.Get(accumulator), value);
        if (processor.Flags.Z)
        {
            TWidth.PutRegister(destination, TWidth.Get(processor.R + op->Source));
        }
        else
        {
            TWidth.PutRegister(accumulator, value);
        }

        return op + 1;
    }

    public static Op* CompareExchangeMemory(Processor processor, Op* op)
    {
        byte* place = processor.BeginModify(op, processor.Address(op), TWidth.Bits / 8);
        if (place == null)
        {
            return null;
        }

        byte* accumulator = processor.R + RegisterFile.Rax;
        ulong value = TWidth.Get(place);
        Subtract.Apply<TWidth>(ref processor.Flags, TWidth.Get(accumulator), value);
        if (processor.Flags.Z)
        {
            TWidth.Put(place, TWidth.Get(processor.R + op->Source));
        }
        else
        {
            TWidth.PutRegister(accumulator, value);
        }

        processor.EndModify(op, place, TWidth.Bits / 8);
        return op + 1;
    }
}

/// <summary>MOVZX, MOVSX and MOVSXD.</summary>
internal static unsafe class Extend<TTo, TFrom>
    where TTo : struct, IWidth
    where TFrom : struct, IWidth
{
    public static Op* ZeroRegister(Processor processor, Op* op)
    {
        byte* r = processor.R;
        TTo.PutRegister(r + op->Destination, TFrom.Get(r + op->Source));
        return op + 1;
    }

    public static Op* ZeroMemory(Processor processor, Op* op)
    {
        if (!processor.Load<TFrom>(op, processor.Address(op), out ulong value))
        {
            return null;
        }

        TTo.PutRegister(processor.R + op->Destination, value);
        return op + 1;
    }

    public static Op* SignRegister(Processor processor, Op* op)
    {
        byte* r = processor.R;
        TTo.PutRegister(r + op->Destination, (ulong)TFrom.SignExtend(TFrom.Get(r + op->Source)));
        return op + 1;
    }

    public static Op* SignMemory(Processor processor, Op* op)
    {
        if (!processor.Load<TFrom>(op, processor.Address(op), out ulong value))
        {
            return null;
        }

        TTo.PutRegister(processor.R + op->Destination, (ulong)TFrom.SignExtend(value));
        return op + 1;
    }
}
