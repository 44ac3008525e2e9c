using MemVirt.Core.Access;
using MemVirt.Cpu.Decoding;

namespace MemVirt.Cpu.Execution;

/// <summary>
/// String instructions, with REP or without. Each step commits its registers, so that a fault in the middle leaves the rest to be done
/// (Intel SDM Vol. 2 "REP"). Long ones make way for interrupts now and then.
/// </summary>
internal static unsafe class Strings<TWidth>
    where TWidth : struct, IWidth
{
    private const int MaxSteps = 1 << 14;
    private const ulong PageMask = 0xFFF;

    private static int Size => TWidth.Bits / 8;

    private static int Steps(Processor processor) => processor.IsStepping ? 1 : MaxSteps;

    public static Op* Move(Processor processor, Op* op)
    {
        if ((op->Traits & OpTraits.Repeat) == 0)
        {
            return MoveOne(processor, op) ? op + 1 : null;
        }

        for (int step = 0; step < Steps(processor); step++)
        {
            if (Counter(processor, op) == 0)
            {
                return op + 1;
            }

            if (!processor.IsStepping && MoveMany(processor, op))
            {
                continue;
            }

            if (!MoveOne(processor, op))
            {
                return null;
            }

            CountDown(processor, op, 1);
        }

        return Again(processor, op);
    }

    public static Op* Fill(Processor processor, Op* op)
    {
        if ((op->Traits & OpTraits.Repeat) == 0)
        {
            return FillOne(processor, op) ? op + 1 : null;
        }

        for (int step = 0; step < Steps(processor); step++)
        {
            if (Counter(processor, op) == 0)
            {
                return op + 1;
            }

            if (!processor.IsStepping && FillMany(processor, op))
            {
                continue;
            }

            if (!FillOne(processor, op))
            {
                return null;
            }

            CountDown(processor, op, 1);
        }

        return Again(processor, op);
    }

    public static Op* LoadString(Processor processor, Op* op)
    {
        bool repeats = (op->Traits & OpTraits.Repeat) != 0;
        for (int step = 0; step < Steps(processor); step++)
        {
            if (repeats && Counter(processor, op) == 0)
            {
                return op + 1;
            }

            if (!processor.Load<TWidth>(op, SourceAddress(processor, op), out ulong value))
            {
                return null;
            }

            TWidth.PutRegister(processor.R + RegisterFile.Rax, value);
            Advance(processor, op, RegisterFile.Rsi, 1);
            if (!repeats)
            {
                return op + 1;
            }

            CountDown(processor, op, 1);
        }

        return Again(processor, op);
    }

    public static Op* CompareStrings(Processor processor, Op* op)
    {
        bool repeats = (op->Traits & (OpTraits.Repeat | OpTraits.RepeatNotEqual)) != 0;
        bool whileEqual = (op->Traits & OpTraits.Repeat) != 0;
        for (int step = 0; step < Steps(processor); step++)
        {
            if (repeats && Counter(processor, op) == 0)
            {
                return op + 1;
            }

            if (!processor.Load<TWidth>(op, SourceAddress(processor, op), out ulong left)
                || !processor.Load<TWidth>(op, DestinationAddress(processor, op), out ulong right))
            {
                return null;
            }

            Subtract.Apply<TWidth>(ref processor.Flags, left, right);
            Advance(processor, op, RegisterFile.Rsi, 1);
            Advance(processor, op, RegisterFile.Rdi, 1);
            if (!repeats)
            {
                return op + 1;
            }

            CountDown(processor, op, 1);
            if (processor.Flags.Z != whileEqual)
            {
                return op + 1;
            }
        }

        return Again(processor, op);
    }

    public static Op* ScanString(Processor processor, Op* op)
    {
        bool repeats = (op->Traits & (OpTraits.Repeat | OpTraits.RepeatNotEqual)) != 0;
        bool whileEqual = (op->Traits & OpTraits.Repeat) != 0;
        for (int step = 0; step < Steps(processor); step++)
        {
            if (repeats && Counter(processor, op) == 0)
            {
                return op + 1;
            }

            if (!processor.Load<TWidth>(op, DestinationAddress(processor, op), out ulong right))
            {
                return null;
            }

            Subtract.Apply<TWidth>(ref processor.Flags, TWidth.Get(processor.R + RegisterFile.Rax), right);
            Advance(processor, op, RegisterFile.Rdi, 1);
            if (!repeats)
            {
                return op + 1;
            }

            CountDown(processor, op, 1);
            if (processor.Flags.Z != whileEqual)
            {
                return op + 1;
            }
        }

        return Again(processor, op);
    }

    public static Op* Input(Processor processor, Op* op)
    {
        if (!Ports.IsAllowed(processor, op, (ushort)processor.Register(RegisterFile.Rdx), Size))
        {
            return null;
        }

        bool repeats = (op->Traits & (OpTraits.Repeat | OpTraits.RepeatNotEqual)) != 0;
        for (int step = 0; step < Steps(processor); step++)
        {
            if (repeats && Counter(processor, op) == 0)
            {
                return op + 1;
            }

            // The destination is known to be writable before the port is read.
            byte* place = processor.BeginStore(op, DestinationAddress(processor, op), Size);
            if (place == null)
            {
                return null;
            }

            TWidth.Put(place, Ports.Read(processor, op, (ushort)processor.Register(RegisterFile.Rdx), Size));
            processor.EndModify(op, place, Size);
            Advance(processor, op, RegisterFile.Rdi, 1);
            if (!repeats)
            {
                return op + 1;
            }

            CountDown(processor, op, 1);
        }

        return Again(processor, op);
    }

    public static Op* Output(Processor processor, Op* op)
    {
        if (!Ports.IsAllowed(processor, op, (ushort)processor.Register(RegisterFile.Rdx), Size))
        {
            return null;
        }

        bool repeats = (op->Traits & (OpTraits.Repeat | OpTraits.RepeatNotEqual)) != 0;
        for (int step = 0; step < Steps(processor); step++)
        {
            if (repeats && Counter(processor, op) == 0)
            {
                return op + 1;
            }

            if (!processor.Load<TWidth>(op, SourceAddress(processor, op), out ulong value))
            {
                return null;
            }

            Ports.Write(processor, op, (ushort)processor.Register(RegisterFile.Rdx), Size, (uint)value);
            Advance(processor, op, RegisterFile.Rsi, 1);
            if (!repeats)
            {
                return op + 1;
            }

            CountDown(processor, op, 1);
        }

        return Again(processor, op);
    }

    private static bool MoveOne(Processor processor, Op* op)
    {
        if (!processor.Load<TWidth>(op, SourceAddress(processor, op), out ulong value)
            || !processor.Store<TWidth>(op, DestinationAddress(processor, op), value))
        {
            return false;
        }

        Advance(processor, op, RegisterFile.Rsi, 1);
        Advance(processor, op, RegisterFile.Rdi, 1);
        return true;
    }

    /// <summary>Moves what lies in one page on both sides at once, upwards; false where that cannot be.</summary>
    private static bool MoveMany(Processor processor, Op* op)
    {
        if ((processor.SystemFlags & SystemFlag.Direction) != 0)
        {
            return false;
        }

        ulong from = SourceAddress(processor, op);
        ulong to = DestinationAddress(processor, op);
        long bytes = Math.Min(Chunk(processor, op, from), Chunk(processor, op, to));
        if (bytes < 2 * Size)
        {
            return false;
        }

        byte* source = processor.TryDirectUnseen(from, (int)bytes, MemoryAccess.Read, out ulong linearSource);
        byte* destination = processor.TryDirectUnseen(to, (int)bytes, MemoryAccess.Write, out ulong linearDestination);
        bool overlaps = destination > source && destination < source + bytes;
        if (source == null || destination == null || overlaps)
        {
            return false;
        }

        new ReadOnlySpan<byte>(source, (int)bytes).CopyTo(new Span<byte>(destination, (int)bytes));
        ulong steps = (ulong)(bytes / Size);
        if (processor.Observer is not null)
        {
            processor.LogEach(linearSource, linearDestination, Size, (long)steps);
        }

        Advance(processor, op, RegisterFile.Rsi, (long)steps);
        Advance(processor, op, RegisterFile.Rdi, (long)steps);
        CountDown(processor, op, steps);
        return true;
    }

    private static bool FillOne(Processor processor, Op* op)
    {
        if (!processor.Store<TWidth>(op, DestinationAddress(processor, op), TWidth.Get(processor.R + RegisterFile.Rax)))
        {
            return false;
        }

        Advance(processor, op, RegisterFile.Rdi, 1);
        return true;
    }

    private static bool FillMany(Processor processor, Op* op)
    {
        if ((processor.SystemFlags & SystemFlag.Direction) != 0)
        {
            return false;
        }

        ulong to = DestinationAddress(processor, op);
        long bytes = Chunk(processor, op, to);
        if (bytes < 2 * Size)
        {
            return false;
        }

        byte* destination = processor.TryDirectUnseen(to, (int)bytes, MemoryAccess.Write, out ulong linear);
        if (destination == null)
        {
            return false;
        }

        ulong value = TWidth.Get(processor.R + RegisterFile.Rax);
        switch (TWidth.Bits)
        {
            case 8:
                new Span<byte>(destination, (int)bytes).Fill((byte)value);
                break;
            case 16:
                new Span<ushort>(destination, (int)bytes / 2).Fill((ushort)value);
                break;
            case 32:
                new Span<uint>(destination, (int)bytes / 4).Fill((uint)value);
                break;
            default:
                new Span<ulong>(destination, (int)bytes / 8).Fill(value);
                break;
        }

        ulong steps = (ulong)(bytes / Size);
        if (processor.Observer is not null)
        {
            processor.LogEach(source: null, linear, Size, (long)steps);
        }

        Advance(processor, op, RegisterFile.Rdi, (long)steps);
        CountDown(processor, op, steps);
        return true;
    }

    /// <summary>Bytes, whole elements, from an address to the end of its page that the counter still asks for.</summary>
    private static long Chunk(Processor processor, Op* op, ulong address)
    {
        var left = (long)(PageMask + 1 - (address & PageMask));
        ulong counter = Counter(processor, op);
        long asked = counter > 4096 ? 4096 : (long)counter * Size;
        return Math.Min(left, asked) / Size * Size;
    }

    private static ulong SourceAddress(Processor processor, Op* op)
        => (processor.Register(RegisterFile.Rsi) & op->AddressMask) + processor.Register(op->Segment);

    private static ulong DestinationAddress(Processor processor, Op* op)
        => (processor.Register(RegisterFile.Rdi) & op->AddressMask)
           + ((op->Traits & OpTraits.Long) != 0 ? 0 : processor.Register(RegisterFile.BaseOf(SegmentName.Es)));

    private static ulong Counter(Processor processor, Op* op) => processor.Register(RegisterFile.Rcx) & op->AddressMask;

    private static void CountDown(Processor processor, Op* op, ulong steps)
        => Put(ref processor.Register(RegisterFile.Rcx), Counter(processor, op) - steps, op->AddressMask);

    private static void Advance(Processor processor, Op* op, int register, long steps)
    {
        ref ulong place = ref processor.Register(register);
        Put(ref place, place + (ulong)(steps * processor.StringStep(Size)), op->AddressMask);
    }

    private static void Put(ref ulong register, ulong value, ulong mask)
        => register = mask == ushort.MaxValue ? (register & ~mask) | (value & mask) : value & mask;

    /// <summary>The instruction goes on after interrupts were looked at.</summary>
    private static Op* Again(Processor processor, Op* op)
    {
        if (processor.HasBreakpoints)
        {
            // A breakpoint on the instruction is met before its first step alone.
            processor.SystemFlags |= SystemFlag.Resume;
        }

        processor.LeaveAt(op);
        return null;
    }
}
