using MemVirt.Core;
using MemVirt.Core.Registers;
using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;
using MemVirt.Cpu.Segmentation;

namespace MemVirt.Cpu.Execution;

/// <summary>Control and debug registers, descriptor-table registers, invalidations (Intel SDM Vol. 3A ch. 2).</summary>
internal static unsafe class SystemRegisters
{
    private const ulong TaskSwitched = 1 << 3;
    private const ulong UserModeInstructionPrevention = 1UL << 11;
    private const uint BusyBit = 0x200;

    /// <summary>MOV from CR: <see cref="Op.Detail"/> is its number.</summary>
    public static Op* MoveFromControl(Processor processor, Op* op)
    {
        if (processor.CurrentPrivilegeLevel != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        if (op->Detail == 3)
        {
            // Of reads a VMM takes this one alone, and under shadow paging only (Intel SDM Vol. 3C §25.1.3; CR0 and CR4 have read shadows).
            processor.Observe(ExecutionEvent.ControlAccess);
        }

        ref readonly PagingRegisters control = ref processor.Control;
        ulong value = op->Detail switch
        {
            0 => control.Cr0,
            2 => processor.Cr2,
            3 => control.Cr3,
            4 => control.Cr4,
            _ => processor.Bus.TaskPriority,
        };
        processor.Register(op->Destination) = processor.IsLong ? value : (uint)value;
        return op + 1;
    }

    public static Op* MoveToControl(Processor processor, Op* op)
    {
        if (processor.CurrentPrivilegeLevel != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        ulong value = processor.Register(op->Source);
        if (!processor.IsLong)
        {
            value = (uint)value;
        }

        processor.Statistics.ControlRegisterWrites++;
        ulong old0 = processor.Control.Cr0;
        ulong old4 = processor.Control.Cr4;
        processor.FlushObserved();
        RegisterWriteOutcome outcome = RegisterWriteOutcome.Done;
        switch (op->Detail)
        {
            case 0:
                outcome = processor.Unit.MoveToCr0(value, processor.IsLong);
                break;
            case 2:
                processor.Cr2 = value;
                break;
            case 3:
                processor.Statistics.Cr3Writes++;
                outcome = processor.Unit.MoveToCr3(value);
                break;
            case 4:
                outcome = processor.Unit.MoveToCr4(value);
                break;
            default:
                processor.CatchUp(op);
                if (value > 15)
                {
                    outcome = RegisterWriteOutcome.GeneralProtection;
                }
                else
                {
                    processor.Bus.TaskPriority = value;
                }

                break;
        }

        if (outcome == RegisterWriteOutcome.GeneralProtection)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        if (outcome == RegisterWriteOutcome.SecondStageFault)
        {
            processor.Stop(op, ProcessorStop.UnhandledStageFault);
            return null;
        }

        processor.LeaveAfter(op);
        processor.ModeChanged();
        processor.ControlChanged();
        processor.InterruptsMayBeEnabled();
        if (processor.Observer is not null)
        {
            ObserveControl(processor, op->Detail, value, old0, old4);
        }

        return null;
    }

    public static Op* ClearTaskSwitched(Processor processor, Op* op)
    {
        if (processor.CurrentPrivilegeLevel != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        processor.Unit.MoveToCr0(processor.Control.Cr0 & ~TaskSwitched, processor.IsLong);
        processor.ControlChanged();
        processor.ObserveRegisters();
        return processor.LeaveAfter(op);
    }

    /// <summary>SMSW, to a register or to memory.</summary>
    public static Op* StoreMachineStatus(Processor processor, Op* op)
    {
        if (IsPrevented(processor))
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        return PutSelector(processor, op, processor.Control.Cr0);
    }

    public static Op* LoadMachineStatus(Processor processor, Op* op)
    {
        if (processor.CurrentPrivilegeLevel != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        if (!TryWord(processor, op, out ulong value))
        {
            return null;
        }

        ulong kept = processor.Control.Cr0;
        processor.Unit.MoveToCr0((kept & ~14UL) | (value & 15) | (kept & 1), processor.IsLong);
        processor.ControlChanged();
        if (processor.Observer is not null)
        {
            ObserveControl(processor, 0, value, kept, processor.Control.Cr4);
        }

        return processor.LeaveAfter(op);
    }

    public static Op* MoveFromDebug(Processor processor, Op* op)
    {
        if (!TryDebugAccess(processor, op, out int number))
        {
            return null;
        }

        ref DebugRegisters debug = ref processor.Debug;
        ulong value = number switch { 0 => debug.Dr0, 1 => debug.Dr1, 2 => debug.Dr2, 3 => debug.Dr3, 6 => debug.Dr6, _ => debug.Dr7 };
        processor.Register(op->Destination) = processor.IsLong ? value : (uint)value;
        return op + 1;
    }

    public static Op* MoveToDebug(Processor processor, Op* op)
    {
        if (!TryDebugAccess(processor, op, out int number))
        {
            return null;
        }

        ulong value = processor.Register(op->Source);
        value = processor.IsLong ? value : (uint)value;
        if (number >= 6 && value >> 32 != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        ref DebugRegisters debug = ref processor.Debug;
        switch (number)
        {
            case 0:
                debug.Dr0 = value;
                break;
            case 1:
                debug.Dr1 = value;
                break;
            case 2:
                debug.Dr2 = value;
                break;
            case 3:
                debug.Dr3 = value;
                break;
            case 6:
                // Bit 16 says that the exception was not in a transaction: always, where there are none.
                debug.Dr6 = (value & 0xE00F) | 0xFFFF_0FF0;
                break;
            default:
                debug.Dr7 = (value & 0xFFFF_2FFF) | 0x400;
                break;
        }

        processor.ModeChanged();
        return processor.LeaveAfter(op);
    }

    /// <summary>LGDT and LIDT (<see cref="Op.Detail"/> 1).</summary>
    public static Op* LoadTable(Processor processor, Op* op)
    {
        if (processor.CurrentPrivilegeLevel != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        ulong address = processor.Address(op);
        if (!processor.Load<Width16>(op, address, out ulong limit))
        {
            return null;
        }

        bool loaded = processor.IsLong
            ? processor.Load<Width64>(op, address + 2, out ulong start)
            : processor.Load<Width32>(op, address + 2, out start);
        if (!loaded)
        {
            return null;
        }

        if (op->Size == 2)
        {
            start &= 0xFF_FFFF;
        }

        if (processor.IsLong && !processor.IsBase(start))
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        if (op->Detail == 1)
        {
            (processor.Tables.IdtBase, processor.Tables.IdtLimit) = (start, (ushort)limit);
        }
        else
        {
            (processor.Tables.GdtBase, processor.Tables.GdtLimit) = (start, (ushort)limit);
        }

        return op + 1;
    }

    /// <summary>SGDT and SIDT (<see cref="Op.Detail"/> 1).</summary>
    public static Op* StoreTable(Processor processor, Op* op)
    {
        if (IsPrevented(processor))
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        ulong start = op->Detail == 1 ? processor.Tables.IdtBase : processor.Tables.GdtBase;
        ulong limit = op->Detail == 1 ? processor.Tables.IdtLimit : processor.Tables.GdtLimit;
        byte* image = stackalloc byte[16];
        *(ushort*)image = (ushort)limit;
        *(ulong*)(image + 2) = start;
        return processor.StoreBytes(op, processor.Address(op), new ReadOnlySpan<byte>(image, processor.IsLong ? 10 : 6)) ? op + 1 : null;
    }

    public static Op* LoadLocalTable(Processor processor, Op* op)
    {
        const int LdtType = 2;
        if (processor.CurrentPrivilegeLevel != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        if (!TryWord(processor, op, out ulong value))
        {
            return null;
        }

        var selector = (ushort)value;
        if ((selector & 0xFFFC) == 0)
        {
            processor.Tables.Ldt = new SegmentRegister { Selector = selector };
            return op + 1;
        }

        if (!TryGlobal(processor, op, selector, out Descriptor descriptor))
        {
            return null;
        }

        if (descriptor.IsSegment || descriptor.Type != LdtType)
        {
            return processor.Raise(op, Vector.GeneralProtection, selector & 0xFFFCu);
        }

        if (!descriptor.IsPresent)
        {
            return processor.Raise(op, Vector.SegmentNotPresent, selector & 0xFFFCu);
        }

        if (!processor.IsBase(descriptor.Base))
        {
            return processor.Raise(op, Vector.GeneralProtection, selector & 0xFFFCu);
        }

        processor.Tables.Ldt = descriptor.ToSegment(selector);
        return op + 1;
    }

    public static Op* LoadTask(Processor processor, Op* op)
    {
        if (processor.CurrentPrivilegeLevel != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        if (!TryWord(processor, op, out ulong value))
        {
            return null;
        }

        var selector = (ushort)value;
        if ((selector & 0xFFFC) == 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        if (!TryGlobal(processor, op, selector, out Descriptor descriptor))
        {
            return null;
        }

        bool isTask = !descriptor.IsSegment && (descriptor.Type == 9 || (descriptor.Type == 1 && !processor.IsLongModeActive));
        if (!isTask)
        {
            return processor.Raise(op, Vector.GeneralProtection, selector & 0xFFFCu);
        }

        if (!descriptor.IsPresent)
        {
            return processor.Raise(op, Vector.SegmentNotPresent, selector & 0xFFFCu);
        }

        if (!processor.IsBase(descriptor.Base))
        {
            return processor.Raise(op, Vector.GeneralProtection, selector & 0xFFFCu);
        }

        if (!Descriptors.TryStore(processor, op, selector, descriptor.Value | ((ulong)BusyBit << 32)))
        {
            return null;
        }

        SegmentRegister task = descriptor.ToSegment(selector);
        task.Attributes |= BusyBit;
        processor.Tables.Task = task;
        return op + 1;
    }

    public static Op* StoreLocalTable(Processor processor, Op* op)
        => IsPrevented(processor) ? processor.Raise(op, Vector.GeneralProtection) : PutSelector(processor, op, processor.Tables.Ldt.Selector);

    public static Op* StoreTask(Processor processor, Op* op)
        => IsPrevented(processor) ? processor.Raise(op, Vector.GeneralProtection) : PutSelector(processor, op, processor.Tables.Task.Selector);

    public static Op* InvalidatePage(Processor processor, Op* op)
    {
        if (processor.CurrentPrivilegeLevel != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        processor.Statistics.Invlpgs++;
        ulong address = processor.Address(op);
        processor.Unit.Invlpg(processor.IsLong ? address : (uint)address);
        processor.ObserveInvlpg(address);
        return processor.LeaveAfter(op);
    }

    public static Op* InvalidateContext(Processor processor, Op* op)
    {
        if (!processor.Profile.InvalidateProcessContext)
        {
            return processor.Raise(op, Vector.InvalidOpcode);
        }

        if (processor.CurrentPrivilegeLevel != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        byte* descriptor = stackalloc byte[16];
        if (!processor.LoadBytes(op, processor.Address(op), new Span<byte>(descriptor, 16)))
        {
            return null;
        }

        processor.Statistics.Invpcids++;
        ulong type = processor.Register(op->Destination);
        type = processor.IsLong ? type : (uint)type;
        if (processor.Unit.Invpcid(type, *(ulong*)descriptor, *(ulong*)(descriptor + 8)) != RegisterWriteOutcome.Done)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        processor.Observe(ExecutionEvent.Invlpg);
        if (type == 0)
        {
            processor.Observer?.Invalidated(*(ulong*)(descriptor + 8));
        }
        else
        {
            processor.ObserveInvalidateAll();
        }

        return processor.LeaveAfter(op);
    }

    /// <summary>MOV and POP to a segment register: <see cref="Op.Detail"/> is its number.</summary>
    public static Op* MoveToSegment(Processor processor, Op* op)
    {
        if (!TryWord(processor, op, out ulong selector))
        {
            return null;
        }

        return TryLoad(processor, op, (SegmentName)op->Detail, (ushort)selector) ? AfterSegment(processor, op) : null;
    }

    public static Op* PopSegment<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
    {
        if (!Stack.Peek<TWidth>(processor, op, 0, out ulong selector)
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
        => PutSelector(processor, op, processor.Segments[op->Detail].Selector);

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

    /// <summary>VERR, VERW (<see cref="Op.Detail"/> 1), LAR (2), LSL (3).</summary>
    public static Op* Verify(Processor processor, Op* op)
    {
        if (!TryWord(processor, op, out ulong value))
        {
            return null;
        }

        var selector = (ushort)value;
        bool isVisible = false;
        Descriptor descriptor = default;
        if ((selector & 0xFFFC) != 0 && Descriptors.TryLocate(processor, selector, 8, out ulong address))
        {
            if (!Descriptors.Load(processor, op, address, out ulong raw))
            {
                return null;
            }

            descriptor = new Descriptor(raw);
            bool isOutranked = !descriptor.IsConforming
                               && (descriptor.PrivilegeLevel < processor.CurrentPrivilegeLevel || descriptor.PrivilegeLevel < (selector & 3));
            isVisible = !isOutranked && IsKind(processor, op->Detail, in descriptor);
        }

        processor.Flags.SetZero(isVisible);
        if (isVisible && op->Detail >= 2)
        {
            uint answer = op->Detail == 2 ? (uint)(descriptor.Value >> 32) & 0x00F0_FF00 : descriptor.Limit;
            switch (op->Size)
            {
                case 2:
                    Width16.PutRegister(processor.R + op->Destination, answer);
                    break;
                default:
                    Width32.PutRegister(processor.R + op->Destination, answer);
                    break;
            }
        }

        return op + 1;
    }

    /// <summary>ARPL.</summary>
    public static Op* AdjustRequestedPrivilege(Processor processor, Op* op)
    {
        bool isMemory = (op->Traits & OpTraits.Memory) != 0;
        byte* place = isMemory ? processor.BeginModify(op, processor.Address(op), 2) : processor.R + op->Destination;
        if (place == null)
        {
            return null;
        }

        ulong destination = Width16.Get(place);
        ulong source = Width16.Get(processor.R + op->Source);
        bool adjusts = (destination & 3) < (source & 3);
        if (adjusts)
        {
            Width16.Put(place, (destination & ~3UL) | (source & 3));
        }

        if (isMemory)
        {
            processor.EndModify(op, place, 2);
        }

        processor.Flags.SetZero(adjusts);
        return op + 1;
    }

    /// <summary>
    /// A write to CR0 or CR4 is an exit where it changes a bit that the VMM owns. KVM leaves the guest TS of CR0, and of CR4 PVI, TSD, DE, PCE,
    /// OSFXSR, OSXMMEXCPT, FSGSBASE, and PGE but under shadow paging (KVM_POSSIBLE_CR0_GUEST_BITS and its likes, Linux 6.1). CR2 is the
    /// guest's, and CR8 where there is a TPR shadow.
    /// </summary>
    private static void ObserveControl(Processor processor, int number, ulong value, ulong old0, ulong old4)
    {
        const ulong GuestOwned4 = (1 << 1) | (1 << 2) | (1 << 3) | (1 << 8) | (1 << 9) | (1 << 10) | (1 << 16);
        switch (number)
        {
            case 3:
                processor.ObserveCr3(value);
                return;
            case 0:
                ulong changed0 = processor.Control.Cr0 ^ old0;
                if ((changed0 & ~TaskSwitched) != 0)
                {
                    processor.Observe(ExecutionEvent.OwnedControlWrite);
                }

                if ((changed0 & Cr0.Paging) != 0)
                {
                    processor.ObserveInvalidateAll();
                }

                break;
            case 4:
                ulong changed = processor.Control.Cr4 ^ old4;
                if ((changed & ~(GuestOwned4 | Cr4.PageGlobalEnable)) != 0)
                {
                    processor.Observe(ExecutionEvent.OwnedControlWrite);
                }
                else if ((changed & Cr4.PageGlobalEnable) != 0)
                {
                    processor.Observe(ExecutionEvent.ControlAccess);
                }

                if ((changed & (Cr4.PageGlobalEnable | Cr4.ProcessContextEnable | Cr4.SupervisorExecutionPrevention)) != 0)
                {
                    processor.ObserveInvalidateAll();
                }

                break;
        }

        processor.ObserveRegisters();
    }

    private static bool IsKind(Processor processor, int detail, in Descriptor descriptor)
    {
        if (descriptor.IsSegment)
        {
            return detail switch { 0 => descriptor.IsReadable, 1 => descriptor.IsWritable, _ => true };
        }

        bool isLongMode = processor.IsLongModeActive;
        return detail switch
        {
            2 => isLongMode ? descriptor.Type is 2 or 9 or 11 or 12 : descriptor.Type is 1 or 2 or 3 or 4 or 5 or 9 or 11 or 12,
            3 => isLongMode ? descriptor.Type is 2 or 9 or 11 : descriptor.Type is 1 or 2 or 3 or 9 or 11,
            _ => false,
        };
    }

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

    private static bool TryGlobal(Processor processor, Op* op, ushort selector, out Descriptor descriptor)
    {
        descriptor = default;
        if ((selector & 4) != 0)
        {
            processor.Raise(op, Vector.GeneralProtection, selector & 0xFFFCu);
            return false;
        }

        return Descriptors.TryReadSystem(processor, op, selector, 0, out descriptor);
    }

    private static bool TryWord(Processor processor, Op* op, out ulong value)
    {
        if ((op->Traits & OpTraits.Memory) != 0)
        {
            return processor.Load<Width16>(op, processor.Address(op), out value);
        }

        value = Width16.Get(processor.R + op->Source);
        return true;
    }

    /// <summary>A word to memory; to a register of the operand's size, zero-extended.</summary>
    private static Op* PutSelector(Processor processor, Op* op, ulong value)
    {
        if ((op->Traits & OpTraits.Memory) != 0)
        {
            return processor.Store<Width16>(op, processor.Address(op), value) ? op + 1 : null;
        }

        byte* register = processor.R + op->Destination;
        switch (op->Size)
        {
            case 2:
                Width16.PutRegister(register, value);
                break;
            case 4:
                Width32.PutRegister(register, value);
                break;
            default:
                Width64.PutRegister(register, value);
                break;
        }

        return op + 1;
    }

    private static bool TryDebugAccess(Processor processor, Op* op, out int number)
    {
        const ulong DebuggingExtensions = 1 << 3;
        number = op->Detail;
        if (number is 4 or 5)
        {
            if ((processor.Control.Cr4 & DebuggingExtensions) != 0)
            {
                processor.Raise(op, Vector.InvalidOpcode);
                return false;
            }

            number += 2;
        }

        if (processor.CurrentPrivilegeLevel == 0)
        {
            return processor.TryDebugRegisterAccess(op);
        }

        processor.Raise(op, Vector.GeneralProtection);
        return false;
    }

    private static bool IsPrevented(Processor processor)
        => processor.CurrentPrivilegeLevel != 0 && (processor.Control.Cr4 & UserModeInstructionPrevention) != 0;
}
