using MemVirt.Core;
using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;
using MemVirt.Cpu.Segmentation;

namespace MemVirt.Cpu.Execution;

/// <summary>What switches tasks: whether the old one stays busy, and the new one links to it (Intel SDM Vol. 3A table 8-2).</summary>
internal enum TaskSwitchCause
{
    /// <summary>Neither.</summary>
    Jump,

    /// <summary>Both.</summary>
    Call,

    /// <summary>Both; what goes wrong is told with EXT where it is due.</summary>
    Interrupt,

    /// <summary>Neither; the new task is the one that was linked to, and busy.</summary>
    Return,
}

/// <summary>
/// Hardware task switches of protected mode (Intel SDM Vol. 3A §8.3). Up to the point where registers are loaded a fault is the old
/// task's, and nothing has changed but its saved state; from there on it is the new task's.
/// </summary>
internal static unsafe class TaskSwitch
{
    private const int TypeBusy = 2;
    private const int Available16 = 1;
    private const int Available32 = 9;
    private const int TaskGate = 5;
    private const ulong DescriptorBusy = 1UL << 41;
    private const ulong LocalEnables = 0x155;
    private const ulong TaskSwitched = 1 << 3;
    private const ulong DebugTaskSwitch = 1 << 15;
    private const ulong Paging = 1UL << 31;

    /// <summary>Whether a far transfer to a descriptor is to a task: a task gate, or a TSS whatever its state.</summary>
    public static bool IsTask(Processor processor, in Descriptor descriptor)
        => !processor.IsLongModeActive && !descriptor.IsSegment && (descriptor.Type == TaskGate || IsState(in descriptor));

    /// <summary>Far JMP or CALL to a task.</summary>
    public static Op* Transfer(Processor processor, Op* op, ushort selector, in Descriptor descriptor, bool isCall)
    {
        uint error = selector & 0xFFFCu;
        if (descriptor.PrivilegeLevel < processor.CurrentPrivilegeLevel || descriptor.PrivilegeLevel < (selector & 3))
        {
            return processor.Raise(op, Vector.GeneralProtection, error);
        }

        if (descriptor.Type == TaskGate)
        {
            if (!descriptor.IsPresent)
            {
                return processor.Raise(op, Vector.SegmentNotPresent, error);
            }

            selector = (ushort)(descriptor.Value >> 16);
        }

        TaskSwitchCause cause = isCall ? TaskSwitchCause.Call : TaskSwitchCause.Jump;
        Switch(processor, op, selector, cause, processor.RipOf(op->Next), processor.Rflags, 0);
        return null;
    }

    /// <summary>IRET with NT set: back to the task that the current one links to.</summary>
    public static Op* Return(Processor processor, Op* op)
    {
        if (Descriptors.Load(processor, op, processor.Tables.Task.Base, out ulong link))
        {
            Switch(
                processor, op, (ushort)link, TaskSwitchCause.Return, processor.RipOf(op->Next), processor.Rflags & ~(ulong)SystemFlag.NestedTask, 0);
        }

        return null;
    }

    /// <summary>Switches; false where the old task goes on, with the exception that waits.</summary>
    /// <param name="processor">The processor.</param>
    /// <param name="op">The instruction; null where an interrupt switches, and then RIP is what the old task goes on with.</param>
    /// <param name="selector">The new task's TSS.</param>
    /// <param name="cause">What switches.</param>
    /// <param name="rip">Where the old task goes on.</param>
    /// <param name="flags">RFLAGS of the old task, as they are saved.</param>
    /// <param name="ext">EXT of error codes.</param>
    public static bool Switch(Processor processor, Op* op, ushort selector, TaskSwitchCause cause, ulong rip, ulong flags, uint ext)
    {
        int level = processor.CurrentPrivilegeLevel;
        processor.Unit.ChangePrivilege(0, alignmentCheck: false);
        bool isReturn = cause == TaskSwitchCause.Return;
        bool links = cause is TaskSwitchCause.Call or TaskSwitchCause.Interrupt;
        byte* image = stackalloc byte[TaskState.Bytes32];
        bool switches = TryState(processor, op, selector, isReturn, ext, out Descriptor descriptor)
                        && TryReadState(processor, op, selector, ext, in descriptor, image)
                        && TrySave(processor, op, rip, flags)
                        && (!links || processor.Store<Width16>(op, descriptor.Base, processor.Tables.Task.Selector))
                        && (isReturn || Descriptors.TryStore(processor, op, selector, descriptor.Value | DescriptorBusy))
                        && (links || TryRelease(processor, op));
        if (!switches)
        {
            processor.SetPrivilege(level);
            return false;
        }

        if (op != null)
        {
            processor.LeaveAfter(op);
        }

        SegmentRegister task = descriptor.ToSegment(selector);
        task.Attributes |= TypeBusy << 8;
        processor.Tables.Task = task;
        bool is32 = Is32(in descriptor);
        Load(processor, new TaskState(new Span<byte>(image, TaskState.Bytes32), is32), is32, links, ext);
        return true;
    }

    private static bool IsState(in Descriptor descriptor) => (descriptor.Type & ~TypeBusy) is Available16 or Available32;

    private static bool Is32(in Descriptor descriptor) => (descriptor.Type & ~TypeBusy) == Available32;

    /// <summary>The new task's descriptor, of the GDT: present, large enough, and busy where IRET goes back to it alone.</summary>
    private static bool TryState(Processor processor, Op* op, ushort selector, bool isReturn, uint ext, out Descriptor descriptor)
    {
        const int local = 4;
        uint error = (selector & 0xFFFCu) | ext;
        int invalid = isReturn ? Vector.InvalidTaskState : Vector.GeneralProtection;
        descriptor = default;
        if ((selector & local) == 0)
        {
            if (!Descriptors.TryRead(processor, op, selector, ext, out descriptor, invalid))
            {
                return false;
            }

            bool isBusy = (descriptor.Type & TypeBusy) != 0;
            if (!descriptor.IsSegment && IsState(in descriptor) && isBusy == isReturn)
            {
                if (descriptor.IsPresent)
                {
                    return true;
                }

                invalid = Vector.SegmentNotPresent;
            }
        }

        processor.Raise(op, invalid, error);
        return false;
    }

    private static bool TryReadState(Processor processor, Op* op, ushort selector, uint ext, in Descriptor descriptor, byte* image)
    {
        int length = Is32(in descriptor) ? TaskState.Bytes32 : TaskState.Bytes16;
        if (descriptor.Limit >= length - 1)
        {
            return processor.LoadBytes(op, descriptor.Base, new Span<byte>(image, length));
        }

        processor.Raise(op, Vector.InvalidTaskState, (selector & 0xFFFCu) | ext);
        return false;
    }

    /// <summary>The old task's registers, into its TSS.</summary>
    private static bool TrySave(Processor processor, Op* op, ulong rip, ulong flags)
    {
        ref SegmentRegister task = ref processor.Tables.Task;
        bool is32 = (task.Attributes >> 8 & 8) != 0;
        byte* image = stackalloc byte[TaskState.Bytes32];
        var whole = new Span<byte>(image, TaskState.Bytes32);
        var state = new TaskState(whole, is32);
        Span<byte> saved = whole[state.SavedFrom..state.SavedTo];
        ulong place = task.Base + (ulong)state.SavedFrom;
        if (!processor.LoadBytes(op, place, saved))
        {
            return false;
        }

        state.Rip = (uint)rip;
        state.Rflags = (uint)flags;
        for (int i = 0; i < TaskState.GeneralRegisters; i++)
        {
            state.SetGeneral(i, (uint)processor.Register(i * sizeof(ulong)));
        }

        for (SegmentName name = SegmentName.Es; name <= SegmentName.Gs; name++)
        {
            state.SetSelector(name, processor.Segments[(int)name].Selector);
        }

        return processor.StoreBytes(op, place, saved);
    }

    /// <summary>The old task is no longer busy.</summary>
    private static bool TryRelease(Processor processor, Op* op)
    {
        ushort selector = processor.Tables.Task.Selector;
        return Descriptors.TryRead(processor, op, selector, 0, out Descriptor descriptor)
               && Descriptors.TryStore(processor, op, selector, descriptor.Value & ~DescriptorBusy);
    }

    /// <summary>From here on all that goes wrong is the new task's.</summary>
    private static void Load(Processor processor, TaskState state, bool is32, bool links, uint ext)
    {
        processor.FlushObserved();
        RegisterWriteOutcome outcome = RegisterWriteOutcome.Done;
        if (is32 && (processor.Control.Cr0 & Paging) != 0 && processor.Control.Cr3 != state.Cr3)
        {
            processor.Statistics.Cr3Writes++;
            outcome = processor.Unit.MoveToCr3(state.Cr3);
            processor.ObserveCr3(state.Cr3);
        }

        processor.Unit.MoveToCr0(processor.Control.Cr0 | TaskSwitched, processor.IsLong);
        processor.Debug.Dr7 &= ~LocalEnables;
        processor.ControlChanged();
        processor.Rip = state.Rip;
        processor.Rflags = links ? state.Rflags | SystemFlag.NestedTask : state.Rflags;
        for (int i = 0; i < TaskState.GeneralRegisters; i++)
        {
            ref ulong register = ref processor.Register(i * sizeof(ulong));
            register = is32 ? state.General(i) : (register & 0xFFFF_0000) | state.General(i);
        }

        // Selectors first, so that what handles a fault sees them; a segment that is not loaded yet is of no use.
        for (SegmentName name = SegmentName.Es; name <= SegmentName.Gs; name++)
        {
            processor.SetSegment(name, new SegmentRegister { Selector = state.Selector(name) });
        }

        int level = state.Selector(SegmentName.Cs) & 3;
        processor.Tables.Ldt = new SegmentRegister { Selector = state.LocalTable };
        processor.SetPrivilege(level);
        processor.ModeChanged();
        if (outcome == RegisterWriteOutcome.SecondStageFault)
        {
            processor.Stop(null, ProcessorStop.UnhandledStageFault);
            return;
        }

        if (outcome == RegisterWriteOutcome.GeneralProtection)
        {
            processor.Raise(null, Vector.GeneralProtection, ext);
            return;
        }

        if (!TryLoadSegments(processor, state, level, ext))
        {
            return;
        }

        if (processor.Rip > processor.Segments[(int)SegmentName.Cs].Limit)
        {
            processor.Raise(null, Vector.GeneralProtection, ext);
            return;
        }

        if (state.IsTrapped)
        {
            processor.Debug.Dr6 |= DebugTaskSwitch;
            processor.RaiseBetween(Vector.Debug);
        }

        processor.InterruptsMayBeEnabled();
    }

    private static bool TryLoadSegments(Processor processor, TaskState state, int level, uint ext)
    {
        if (!TryLoadLocalTable(processor, state.LocalTable, ext)
            || !TryLoadCode(processor, state.Selector(SegmentName.Cs), level, ext)
            || !SegmentLoads.TryStack(processor, state.Selector(SegmentName.Ss), level, Vector.InvalidTaskState, ext, out SegmentRegister stack))
        {
            return false;
        }

        processor.SetSegment(SegmentName.Ss, in stack);
        ReadOnlySpan<SegmentName> names = [SegmentName.Ds, SegmentName.Es, SegmentName.Fs, SegmentName.Gs];
        foreach (SegmentName name in names)
        {
            if (!SegmentLoads.TryLoadData(processor, null, name, state.Selector(name), Vector.InvalidTaskState, ext))
            {
                return false;
            }
        }

        return true;
    }

    private static bool TryLoadLocalTable(Processor processor, ushort selector, uint ext)
    {
        const int localTable = 2;
        const int local = 4;
        if ((selector & 0xFFFC) == 0)
        {
            return true;
        }

        Descriptor descriptor = default;
        if ((selector & local) == 0
            && !Descriptors.TryRead(processor, null, selector, ext, out descriptor, Vector.InvalidTaskState))
        {
            return false;
        }

        if (descriptor.IsSegment || descriptor.Type != localTable || !descriptor.IsPresent)
        {
            processor.Raise(null, Vector.InvalidTaskState, (selector & 0xFFFCu) | ext);
            return false;
        }

        processor.Tables.Ldt = descriptor.ToSegment(selector);
        return true;
    }

    private static bool TryLoadCode(Processor processor, ushort selector, int level, uint ext)
    {
        uint error = (selector & 0xFFFCu) | ext;
        if ((selector & 0xFFFC) == 0)
        {
            processor.Raise(null, Vector.InvalidTaskState, ext);
            return false;
        }

        if (!Descriptors.TryRead(processor, null, selector, ext, out Descriptor descriptor, Vector.InvalidTaskState))
        {
            return false;
        }

        bool isAllowed = descriptor.IsConforming ? descriptor.PrivilegeLevel <= level : descriptor.PrivilegeLevel == level;
        if (!descriptor.IsCode || !isAllowed)
        {
            processor.Raise(null, Vector.InvalidTaskState, error);
            return false;
        }

        if (!descriptor.IsPresent)
        {
            processor.Raise(null, Vector.SegmentNotPresent, error);
            return false;
        }

        if (!Descriptors.TrySetAccessed(processor, null, selector, ref descriptor))
        {
            return false;
        }

        processor.SetSegment(SegmentName.Cs, descriptor.ToSegment(selector));
        return true;
    }
}
