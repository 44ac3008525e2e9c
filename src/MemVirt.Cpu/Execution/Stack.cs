using System.Runtime.CompilerServices;
using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.Execution;

/// <summary>PUSH, POP, ENTER, LEAVE and what others need of the stack.</summary>
internal static unsafe class Stack
{
    /// <summary>Pushes a value; false where that faults, and then RSP is as before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Push<TWidth>(Processor processor, Op* op, ulong value)
        where TWidth : struct, IWidth
    {
        ref ulong rsp = ref processor.Register(RegisterFile.Rsp);
        if (processor.IsLong)
        {
            ulong pushed = rsp - (ulong)(TWidth.Bits / 8);
            if (!processor.Store<TWidth>(op, pushed, value))
            {
                return false;
            }

            rsp = pushed;
            return true;
        }

        return PushLegacy<TWidth>(processor, op, value);
    }

    /// <summary>Reads the stack, a number of bytes above its top.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Peek<TWidth>(Processor processor, Op* op, ulong offset, out ulong value)
        where TWidth : struct, IWidth
    {
        ulong rsp = processor.Register(RegisterFile.Rsp);
        return processor.IsLong
            ? processor.Load<TWidth>(op, rsp + offset, out value)
            : processor.Load<TWidth>(op, LegacyAddress(processor, rsp + offset), out value);
    }

    /// <summary>Takes bytes off the stack.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Drop(Processor processor, ulong bytes)
    {
        ref ulong rsp = ref processor.Register(RegisterFile.Rsp);
        if (processor.IsLong)
        {
            rsp += bytes;
            return;
        }

        ulong mask = processor.StackMask;
        rsp = (rsp & ~mask & uint.MaxValue) | ((rsp + bytes) & mask);
    }

    public static Op* PushRegister<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
        => Push<TWidth>(processor, op, TWidth.Get(processor.R + op->Source)) ? op + 1 : null;

    public static Op* PushImmediate<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
        => Push<TWidth>(processor, op, op->Immediate) ? op + 1 : null;

    public static Op* PushMemory<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
        => processor.Load<TWidth>(op, processor.Address(op), out ulong value) && Push<TWidth>(processor, op, value) ? op + 1 : null;

    public static Op* PopRegister<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
    {
        if (!Peek<TWidth>(processor, op, 0, out ulong value))
        {
            return null;
        }

        Drop(processor, (ulong)(TWidth.Bits / 8));
        TWidth.PutRegister(processor.R + op->Destination, value);
        return op + 1;
    }

    public static Op* PopMemory<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
    {
        if (!Peek<TWidth>(processor, op, 0, out ulong value))
        {
            return null;
        }

        // The address is computed with RSP as it is after the pop (Intel SDM Vol. 2 "POP").
        ref ulong rsp = ref processor.Register(RegisterFile.Rsp);
        ulong before = rsp;
        Drop(processor, (ulong)(TWidth.Bits / 8));
        ulong address = processor.Address(op);
        ulong after = rsp;
        rsp = before;
        if (!processor.Store<TWidth>(op, address, value))
        {
            return null;
        }

        rsp = after;
        return op + 1;
    }

    public static Op* PushAll<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
    {
        int size = TWidth.Bits / 8;
        byte* image = stackalloc byte[8 * 4];
        for (int i = 0; i < 8; i++)
        {
            TWidth.Put(image + ((7 - i) * size), TWidth.Get(processor.R + (i * 8)));
        }

        ulong mask = processor.StackMask;
        ref ulong rsp = ref processor.Register(RegisterFile.Rsp);
        ulong pushed = (rsp - (ulong)(8 * size)) & mask;
        if (!processor.StoreBytes(op, LegacyAddress(processor, pushed), new ReadOnlySpan<byte>(image, 8 * size)))
        {
            return null;
        }

        rsp = (rsp & ~mask & uint.MaxValue) | pushed;
        return op + 1;
    }

    public static Op* PopAll<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
    {
        int size = TWidth.Bits / 8;
        byte* image = stackalloc byte[8 * 4];
        if (!processor.LoadBytes(op, LegacyAddress(processor, processor.Register(RegisterFile.Rsp)), new Span<byte>(image, 8 * size)))
        {
            return null;
        }

        for (int i = 0; i < 8; i++)
        {
            if (i != RegisterFile.Rsp / 8)
            {
                TWidth.PutRegister(processor.R + (i * 8), TWidth.Get(image + ((7 - i) * size)));
            }
        }

        Drop(processor, (ulong)(8 * size));
        return op + 1;
    }

    public static Op* Leave<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
    {
        ulong mask = processor.StackMask;
        ref ulong rsp = ref processor.Register(RegisterFile.Rsp);
        ref ulong rbp = ref processor.Register(RegisterFile.Rbp);
        ulong frame = rbp & mask;
        ulong address = processor.IsLong ? frame : LegacyAddress(processor, frame);
        if (!processor.Load<TWidth>(op, address, out ulong value))
        {
            return null;
        }

        ulong after = (frame + (ulong)(TWidth.Bits / 8)) & mask;
        rsp = processor.IsLong ? after : (rsp & ~mask & uint.MaxValue) | after;
        TWidth.PutRegister(processor.R + RegisterFile.Rbp, value);
        return op + 1;
    }

    /// <summary>ENTER: <see cref="Op.Immediate"/> bytes, <see cref="Op.Extra"/> levels.</summary>
    public static Op* Enter<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
    {
        int size = TWidth.Bits / 8;
        int levels = (int)op->Extra & 31;
        ulong mask = processor.StackMask;
        ref ulong rsp = ref processor.Register(RegisterFile.Rsp);
        ref ulong rbp = ref processor.Register(RegisterFile.Rbp);
        ulong before = rsp;
        if (!Push<TWidth>(processor, op, rbp))
        {
            return null;
        }

        ulong frame = rsp & mask;
        for (int i = 1; i < levels; i++)
        {
            ulong outer = (rbp - (ulong)(i * size)) & mask;
            ulong address = processor.IsLong ? outer : LegacyAddress(processor, outer);
            if (!processor.Load<TWidth>(op, address, out ulong link) || !Push<TWidth>(processor, op, link))
            {
                rsp = before;
                return null;
            }
        }

        if (levels > 0 && !Push<TWidth>(processor, op, frame))
        {
            rsp = before;
            return null;
        }

        TWidth.PutRegister(processor.R + RegisterFile.Rbp, TWidth.Bits == 16 ? frame : frame);
        Drop(processor, 0UL - op->Immediate);
        return op + 1;
    }

    public static Op* PushFlags<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
    {
        const uint Hidden = SystemFlag.Resume | SystemFlag.Virtual8086;
        return Push<TWidth>(processor, op, processor.Rflags & ~(ulong)Hidden) ? op + 1 : null;
    }

    public static Op* PopFlags<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
    {
        if (processor.IsInterruptedBefore(op) || !Peek<TWidth>(processor, op, 0, out ulong value))
        {
            return null;
        }

        Drop(processor, (ulong)(TWidth.Bits / 8));
        FlagWrites.Write(processor, (uint)value, TWidth.Bits == 16);
        processor.LeaveAfter(op);
        processor.InterruptsMayBeEnabled();
        return null;
    }

    /// <summary>The linear address of an offset into the stack segment, outside 64-bit mode.</summary>
    public static ulong LegacyAddress(Processor processor, ulong offset)
        => (uint)((offset & processor.StackMask) + processor.Segments[(int)SegmentName.Ss].Base);

    private static bool PushLegacy<TWidth>(Processor processor, Op* op, ulong value)
        where TWidth : struct, IWidth
    {
        ref ulong rsp = ref processor.Register(RegisterFile.Rsp);
        ulong mask = processor.StackMask;
        ulong pushed = (rsp - (ulong)(TWidth.Bits / 8)) & mask;
        if (!processor.Store<TWidth>(op, LegacyAddress(processor, pushed), value))
        {
            return false;
        }

        rsp = (rsp & ~mask & uint.MaxValue) | pushed;
        return true;
    }
}
