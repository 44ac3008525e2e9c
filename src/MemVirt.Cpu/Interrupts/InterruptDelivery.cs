using MemVirt.Cpu.Execution;
using MemVirt.Cpu.Segmentation;

namespace MemVirt.Cpu.Interrupts;

/// <summary>
/// Delivery of interrupts and exceptions through the IDT (Intel SDM Vol. 3A §6.12, §6.14). What it meets is raised as the next
/// exception; then nothing has changed but accessed bits.
/// </summary>
internal static unsafe class InterruptDelivery
{
    private const uint External = 1;
    private const uint Idt = 2;
    private const int InterruptGate = 0xE;
    private const int TrapGate = 0xF;
    private const int InterruptGate16 = 0x6;
    private const int TrapGate16 = 0x7;
    private const int TaskGate = 0x5;

    /// <summary>Delivers a vector; false where another exception waits instead.</summary>
    /// <param name="processor">The processor.</param>
    /// <param name="vector">The vector.</param>
    /// <param name="hasError">Whether an error code is pushed.</param>
    /// <param name="error">It.</param>
    /// <param name="isSoftware">Whether INT n asked for it, so that the gate's DPL counts.</param>
    /// <param name="isExternal">Whether EXT is set in the error codes of what goes wrong.</param>
    /// <param name="isTrap">Whether RF stays as it is in the image that is pushed; it is set of a fault's.</param>
    internal static bool TryDeliver(
        Processor processor, int vector, bool hasError, uint error, bool isSoftware, bool isExternal, bool isTrap)
    {
        int level = processor.CurrentPrivilegeLevel;
        ulong flags = processor.Rflags;
        if (!isTrap)
        {
            flags |= SystemFlag.Resume;
        }

        // Everything from here on is an implicit supervisor access.
        processor.Unit.ChangePrivilege(0, alignmentCheck: false);
        uint ext = isExternal ? External : 0;
        bool delivered = processor.IsLongModeActive
            ? TryDeliverLong(processor, vector, level, flags, hasError, error, isSoftware, ext)
            : TryDeliverLegacy(processor, vector, level, flags, hasError, error, isSoftware, ext);
        if (!delivered)
        {
            processor.SetPrivilege(level);
        }

        return delivered;
    }

    private static bool TryDeliverLong(
        Processor processor, int vector, int level, ulong flags, bool hasError, uint error, bool isSoftware, uint ext)
    {
        uint gateCode = ((uint)vector * 8) | Idt | ext;
        ulong gateAddress = processor.Tables.IdtBase + ((ulong)vector * 16);
        if (((uint)vector * 16) + 15 > processor.Tables.IdtLimit)
        {
            return Refuse(processor, Vector.GeneralProtection, gateCode);
        }

        if (!processor.Load<Width64>(null, gateAddress, out ulong low) || !processor.Load<Width64>(null, gateAddress + 8, out ulong high))
        {
            return false;
        }

        int type = (int)(low >> 40) & 0x1F;
        if (type is not (InterruptGate or TrapGate) || (isSoftware && (int)((low >> 45) & 3) < level))
        {
            return Refuse(processor, Vector.GeneralProtection, gateCode);
        }

        if ((low >> 47 & 1) == 0)
        {
            return Refuse(processor, Vector.SegmentNotPresent, gateCode);
        }

        var selector = (ushort)(low >> 16);
        if (!TryCodeSegment(processor, selector, level, ext, out SegmentRegister code, out int newLevel))
        {
            return false;
        }

        if (!code.IsLong || code.IsDefault32)
        {
            return Refuse(processor, Vector.GeneralProtection, (selector & 0xFFFCu) | ext);
        }

        ulong target = (low & 0xFFFF) | (low >> 32 & 0xFFFF_0000) | (high << 32);
        int stackTable = (int)(low >> 32) & 7;
        ulong oldRsp = processor.Register(RegisterFile.Rsp);
        ulong rsp = oldRsp;
        if (stackTable != 0 || newLevel < level)
        {
            int offset = stackTable != 0 ? 0x24 + ((stackTable - 1) * 8) : 4 + (newLevel * 8);
            ref SegmentRegister task = ref processor.Tables.Task;
            if ((uint)offset + 7 > task.Limit)
            {
                return Refuse(processor, Vector.InvalidTaskState, (task.Selector & 0xFFFCu) | ext);
            }

            if (!processor.Load<Width64>(null, task.Base + (ulong)offset, out rsp))
            {
                return false;
            }
        }

        rsp &= ~15UL;
        int words = hasError ? 6 : 5;
        ulong bottom = rsp - ((ulong)words * 8);
        if (!IsCanonical(processor, rsp) || !IsCanonical(processor, bottom))
        {
            return Refuse(processor, Vector.StackFault, ext);
        }

        ulong* frame = stackalloc ulong[6];
        int word = 0;
        if (hasError)
        {
            frame[word++] = error;
        }

        frame[word++] = processor.Rip;
        frame[word++] = processor.Segments[(int)SegmentName.Cs].Selector;
        frame[word++] = flags;
        frame[word++] = oldRsp;
        frame[word] = processor.Segments[(int)SegmentName.Ss].Selector;
        if (newLevel != 0)
        {
            processor.Unit.ChangePrivilege((byte)newLevel, alignmentCheck: false);
        }

        if (!TryPush(processor, bottom, frame, words))
        {
            return false;
        }

        if (!IsCanonical(processor, target))
        {
            return Refuse(processor, Vector.GeneralProtection, ext);
        }

        processor.Register(RegisterFile.Rsp) = bottom;
        if (newLevel != level)
        {
            processor.SetSegment(SegmentName.Ss, new SegmentRegister { Selector = (ushort)newLevel, Attributes = (uint)newLevel << 13 });
        }

        Enter(processor, in code, selector, newLevel, target, type == InterruptGate);
        return true;
    }

    /// <summary>Pushes words, the last of them first: where one faults, CR2 is its address.</summary>
    private static bool TryPush(Processor processor, ulong bottom, ulong* words, int count)
    {
        byte* direct = processor.TryDirectUnseen(bottom, count * 8, Core.Access.MemoryAccess.Write, out ulong linear);
        if (direct != null)
        {
            new ReadOnlySpan<byte>(words, count * 8).CopyTo(new Span<byte>(direct, count * 8));
            for (int i = count - 1; processor.Observer is not null && i >= 0; i--)
            {
                processor.LogEach(source: null, linear + ((ulong)i * 8), elementBytes: 8, count: 1);
            }

            return true;
        }

        for (int i = count - 1; i >= 0; i--)
        {
            if (!processor.Store<Width64>(null, bottom + ((ulong)i * 8), words[i]))
            {
                return false;
            }
        }

        return true;
    }

    private static bool TryDeliverLegacy(
        Processor processor, int vector, int level, ulong flags, bool hasError, uint error, bool isSoftware, uint ext)
    {
        uint gateCode = ((uint)vector * 8) | Idt | ext;
        if (((uint)vector * 8) + 7 > processor.Tables.IdtLimit)
        {
            return Refuse(processor, Vector.GeneralProtection, gateCode);
        }

        if (!processor.Load<Width64>(null, processor.Tables.IdtBase + ((ulong)vector * 8), out ulong gate))
        {
            return false;
        }

        int type = (int)(gate >> 40) & 0x1F;
        bool is32 = type is InterruptGate or TrapGate;
        bool is16 = type is InterruptGate16 or TrapGate16;
        bool isTask = type == TaskGate;
        if ((!is32 && !is16 && !isTask) || (isSoftware && (int)((gate >> 45) & 3) < level))
        {
            return Refuse(processor, Vector.GeneralProtection, gateCode);
        }

        if ((gate >> 47 & 1) == 0)
        {
            return Refuse(processor, Vector.SegmentNotPresent, gateCode);
        }

        var selector = (ushort)(gate >> 16);
        if (isTask)
        {
            return TaskSwitch.Switch(processor, null, selector, TaskSwitchCause.Interrupt, processor.Rip, flags, ext)
                   && TryPushError(processor, hasError, error);
        }

        if (!TryCodeSegment(processor, selector, level, ext, out SegmentRegister code, out int newLevel))
        {
            return false;
        }

        ulong target = (gate & 0xFFFF) | (is32 ? gate >> 32 & 0xFFFF_0000 : 0);
        SegmentRegister stack = processor.Segments[(int)SegmentName.Ss];
        ulong sp = processor.Register(RegisterFile.Rsp) & processor.StackMask;
        if (newLevel < level && !TryInnerStack(processor, newLevel, ext, out stack, out sp))
        {
            return false;
        }

        uint* frame = stackalloc uint[6];
        int word = 0;
        if (hasError)
        {
            frame[word++] = error;
        }

        frame[word++] = (uint)processor.Rip;
        frame[word++] = processor.Segments[(int)SegmentName.Cs].Selector;
        frame[word++] = (uint)flags;
        if (newLevel < level)
        {
            frame[word++] = (uint)processor.Register(RegisterFile.Rsp);
            frame[word++] = processor.Segments[(int)SegmentName.Ss].Selector;
        }

        ulong mask = stack.IsDefault32 ? uint.MaxValue : ushort.MaxValue;
        if (newLevel != 0)
        {
            processor.Unit.ChangePrivilege((byte)newLevel, alignmentCheck: false);
        }

        int size = is32 ? 4 : 2;
        for (int i = word - 1; i >= 0; i--)
        {
            sp = (sp - (ulong)size) & mask;
            bool stored = is32
                ? processor.Store<Width32>(null, (uint)(stack.Base + sp), frame[i])
                : processor.Store<Width16>(null, (uint)(stack.Base + sp), frame[i]);
            if (!stored)
            {
                return false;
            }
        }

        if (target > code.Limit)
        {
            return Refuse(processor, Vector.GeneralProtection, ext);
        }

        if (newLevel < level)
        {
            processor.SetSegment(SegmentName.Ss, in stack);
        }

        ref ulong rsp = ref processor.Register(RegisterFile.Rsp);
        rsp = (rsp & ~mask) | sp;
        Enter(processor, in code, selector, newLevel, target, type is InterruptGate or InterruptGate16);
        return true;
    }

    /// <summary>An error code goes on the new task's stack; what that meets is the new task's, so that the exception counts as delivered.</summary>
    private static bool TryPushError(Processor processor, bool hasError, uint error)
    {
        if (!hasError || processor.Pending is not (Vector.None or Vector.Debug))
        {
            return true;
        }

        bool is32 = (processor.Tables.Task.Attributes >> 8 & 8) != 0;
        ulong mask = processor.StackMask;
        ref ulong rsp = ref processor.Register(RegisterFile.Rsp);
        ulong sp = (rsp - (is32 ? 4u : 2u)) & mask;
        uint at = (uint)(processor.Segments[(int)SegmentName.Ss].Base + sp);
        bool stored = is32 ? processor.Store<Width32>(null, at, error) : processor.Store<Width16>(null, at, error);
        if (stored)
        {
            rsp = (rsp & ~mask) | sp;
        }

        return true;
    }

    private static bool TryInnerStack(Processor processor, int level, uint ext, out SegmentRegister stack, out ulong sp)
    {
        stack = default;
        sp = 0;
        ref SegmentRegister task = ref processor.Tables.Task;
        uint taskCode = (task.Selector & 0xFFFCu) | ext;
        bool is32 = (task.Attributes >> 8 & 8) != 0;
        uint offset = is32 ? 4 + ((uint)level * 8) : 2 + ((uint)level * 4);
        if (offset + (is32 ? 5u : 3u) > task.Limit)
        {
            return Refuse(processor, Vector.InvalidTaskState, taskCode);
        }

        bool read = is32
            ? processor.Load<Width32>(null, task.Base + offset, out sp)
            : processor.Load<Width16>(null, task.Base + offset, out sp);
        if (!read || !processor.Load<Width16>(null, task.Base + offset + (is32 ? 4u : 2u), out ulong selector))
        {
            return false;
        }

        return SegmentLoads.TryStack(processor, (ushort)selector, level, Vector.InvalidTaskState, ext, out stack);
    }

    private static bool TryCodeSegment(Processor processor, ushort selector, int level, uint ext, out SegmentRegister code, out int newLevel)
    {
        newLevel = level;
        code = default;
        if ((selector & 0xFFFC) == 0)
        {
            return Refuse(processor, Vector.GeneralProtection, ext);
        }

        uint selectorCode = (selector & 0xFFFCu) | ext;
        if (!Descriptors.TryRead(processor, null, selector, ext, out Descriptor descriptor))
        {
            return false;
        }

        if (!descriptor.IsCode || descriptor.PrivilegeLevel > level)
        {
            return Refuse(processor, Vector.GeneralProtection, selectorCode);
        }

        if (!descriptor.IsPresent)
        {
            return Refuse(processor, Vector.SegmentNotPresent, selectorCode);
        }

        newLevel = descriptor.IsConforming ? level : descriptor.PrivilegeLevel;
        code = descriptor.ToSegment((ushort)((selector & 0xFFFC) | newLevel));
        return Descriptors.TrySetAccessed(processor, null, selector, ref descriptor);
    }

    private static void Enter(Processor processor, in SegmentRegister code, ushort selector, int level, ulong target, bool isInterruptGate)
    {
        uint cleared = SystemFlag.Trap | SystemFlag.NestedTask | SystemFlag.Resume | SystemFlag.Virtual8086;
        processor.SystemFlags &= ~(isInterruptGate ? cleared | SystemFlag.Interrupt : cleared);
        processor.SetSegment(SegmentName.Cs, code with { Selector = (ushort)((selector & 0xFFFC) | level) });
        processor.Rip = target;
        processor.SetPrivilege(level);
    }

    private static bool IsCanonical(Processor processor, ulong pointer)
        => processor.Unit.Linear.TryCanonicalize(pointer, dataAccess: false, out _);

    private static bool Refuse(Processor processor, int vector, uint error)
    {
        processor.Raise(null, vector, error);
        return false;
    }
}
