using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.Execution;

/// <summary>What is checked of an access; <see cref="Op.Extra"/> of a check.</summary>
[Flags]
internal enum AccessKinds : ulong
{
    None = 0,
    Read = 1,
    Write = 2,

    /// <summary>The segment's limit and type (Intel SDM Vol. 3A §5.3, §5.5).</summary>
    Limit = 4,

    /// <summary>Alignment (§6.15, "Interrupt 17").</summary>
    Alignment = 8,

    /// <summary>Data breakpoints (Vol. 3B §17.2).</summary>
    Breakpoints = 16,
}

/// <summary>Operations that go before an instruction and check what it is about to do; see <see cref="AccessChecks"/>.</summary>
internal static unsafe class AccessCheck
{
    private const int SegmentMask = 7;
    private const int AlIndex = 1 << 10;

    /// <summary>One access of an instruction.</summary>
    public static Op* Access(Processor processor, Op* op)
    {
        bool repeats = (op->Traits & (OpTraits.Repeat | OpTraits.RepeatNotEqual)) != 0;
        if (repeats && (processor.Register(RegisterFile.Rcx) & op->AddressMask) == 0)
        {
            return op + 1;
        }

        var kinds = (AccessKinds)op->Extra;
        ulong offset = processor.EffectiveAddress(op);
        if ((op->Detail & AlIndex) != 0)
        {
            offset = (offset + (byte)processor.Register(RegisterFile.Rax)) & op->AddressMask;
        }

        var segment = (SegmentName)(op->Detail & SegmentMask);
        bool isWrite = (kinds & AccessKinds.Write) != 0;
        ulong size = op->Immediate;
        if ((kinds & AccessKinds.Limit) != 0 && !IsAllowed(in processor.Segments[(int)segment], offset, size, isWrite))
        {
            return processor.Raise(op, segment == SegmentName.Ss ? Vector.StackFault : Vector.GeneralProtection);
        }

        ulong linear = offset + processor.Register(op->Segment);
        if ((kinds & AccessKinds.Alignment) != 0 && (linear & (AlignmentOf(size) - 1)) != 0)
        {
            return processor.Raise(op, Vector.AlignmentCheck);
        }

        if ((kinds & AccessKinds.Breakpoints) != 0)
        {
            processor.WatchData(processor.IsLong ? linear : (uint)linear, size, isWrite);
        }

        return op + 1;
    }

    /// <summary>The instruction's bytes lie within CS.</summary>
    public static Op* Fetch(Processor processor, Op* op)
        => processor.RipOf(op->Offset) + (ulong)(op->Next - op->Offset) - 1 > processor.Segments[(int)SegmentName.Cs].Limit
            ? processor.Raise(op, Vector.GeneralProtection) : op + 1;

    /// <summary>A breakpoint on the instruction: a fault, which RF suppresses for one instruction.</summary>
    public static Op* Breakpoint(Processor processor, Op* op)
        => processor.IsBreakpoint(op) ? processor.Raise(op, Vector.Debug) : op + 1;

    private static bool IsAllowed(in SegmentRegister segment, ulong offset, ulong size, bool isWrite)
    {
        const uint present = 1 << 15;
        const uint code = 1 << 11;
        const uint expandsDown = 1 << 10;
        const uint writableOrReadable = 1 << 9;
        uint attributes = segment.Attributes;
        bool isCode = (attributes & code) != 0;
        bool isTyped = (attributes & writableOrReadable) != 0 ? !(isWrite && isCode) : !isWrite && !isCode;
        if ((attributes & present) == 0 || !isTyped)
        {
            return false;
        }

        ulong last = offset + size - 1;
        bool isDown = !isCode && (attributes & expandsDown) != 0;
        return isDown ? offset > segment.Limit && last <= (segment.IsDefault32 ? uint.MaxValue : ushort.MaxValue) : last <= segment.Limit;
    }

    /// <summary>Of an operand of a size (Intel SDM Vol. 3A table 6-7).</summary>
    private static ulong AlignmentOf(ulong size) => size switch { 1 => 1, 2 => 2, 4 or 6 => 4, 8 or 10 => 8, 16 => 16, _ => 4 };
}
