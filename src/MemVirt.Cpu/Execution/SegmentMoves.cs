using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;
using MemVirt.Cpu.Segmentation;

namespace MemVirt.Cpu.Execution;

/// <summary>Segment registers: MOV, PUSH, POP, far pointers, the bases of FS and GS.</summary>
internal static unsafe class SegmentMoves
{
    /// <summary>MOV and POP to a segment register: <see cref="Op.Detail"/> is its number.</summary>
    public static Op* MoveToSegment(Processor processor, Op* op)
    {
        if (IsHeldBack(processor, op) || !SystemOperands.TryWord(processor, op, out ulong selector))
        {
            return null;
        }

        return TryLoad(processor, op, (SegmentName)op->Detail, (ushort)selector) ? AfterSegment(processor, op) : null;
    }

    public static Op* PopSegment<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
    {
        if (IsHeldBack(processor, op)
            || !Stack.Peek<TWidth>(processor, op, 0, out ulong selector)
            || !TryLoad(processor, op, (SegmentName)op->Detail, (ushort)selector))
        {
            return null;
        }

        Stack.Drop(processor, (ulong)(TWidth.Bits / 8));
        return AfterSegment(processor, op);
    }

    public static Op* PushSegment<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
        => Stack.Push<TWidth>(processor, op, processor.Segments[op->Detail].Selector) ? op + 1 : null;

    public static Op* MoveFromSegment(Processor processor, Op* op)
        => SystemOperands.PutSelector(processor, op, processor.Segments[op->Detail].Selector);

    /// <summary>LDS, LES, LFS, LGS, LSS.</summary>
    public static Op* LoadFarPointer<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
    {
        ulong address = processor.Address(op);
        if (!processor.Load<TWidth>(op, address, out ulong offset)
            || !processor.Load<Width16>(op, address + (ulong)(TWidth.Bits / 8), out ulong selector)
            || !TryLoad(processor, op, (SegmentName)op->Detail, (ushort)selector))
        {
            return null;
        }

        TWidth.PutRegister(processor.R + op->Destination, offset);
        return processor.LeaveAfter(op);
    }

    /// <summary>RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE: <see cref="Op.Detail"/> is the segment, <see cref="Op.Size"/> the operand's.</summary>
    public static Op* ReadSegmentBase(Processor processor, Op* op)
    {
        if ((processor.Control.Cr4 & (1 << 16)) == 0)
        {
            return processor.Raise(op, Vector.InvalidOpcode);
        }

        ulong start = processor.Segments[op->Detail].Base;
        processor.Register(op->Destination) = op->Size == 8 ? start : (uint)start;
        return op + 1;
    }

    public static Op* WriteSegmentBase(Processor processor, Op* op)
    {
        if ((processor.Control.Cr4 & (1 << 16)) == 0)
        {
            return processor.Raise(op, Vector.InvalidOpcode);
        }

        ulong start = processor.Register(op->Source);
        start = op->Size == 8 ? start : (uint)start;
        if (!processor.IsBase(start))
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        SegmentRegister segment = processor.Segments[op->Detail];
        segment.Base = start;
        processor.SetSegment((SegmentName)op->Detail, in segment);
        return op + 1;
    }

    /// <summary>Whether an interrupt comes before a load of SS, which would hold it back.</summary>
    private static bool IsHeldBack(Processor processor, Op* op)
        => op->Detail == (int)SegmentName.Ss && processor.IsInterruptedBefore(op);

    private static Op* AfterSegment(Processor processor, Op* op)
    {
        // In 64-bit mode blocks hold no base that a load changes but those of FS and GS, which are read when they are used. Elsewhere a
        // block may hold checks of the segment that was, or lack them.
        if (op->Detail == (int)SegmentName.Ss)
        {
            processor.HoldDebugExceptions(op);
            processor.LeaveAfter(op);
            processor.ShadowInterrupts();
            return null;
        }

        return processor.IsLong ? op + 1 : processor.LeaveAfter(op);
    }

    private static bool TryLoad(Processor processor, Op* op, SegmentName name, ushort selector)
        => name == SegmentName.Ss
            ? SegmentLoads.TryLoadStack(processor, op, selector)
            : SegmentLoads.TryLoadData(processor, op, name, selector);
}
