using MemVirt.Core;
using MemVirt.Core.Registers;
using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.Execution;

/// <summary>MOV to and from control registers, CLTS, SMSW, LMSW (Intel SDM Vol. 3A §2.5), and what of them is an exit.</summary>
internal static unsafe class ControlRegisterMoves
{
    private const ulong TaskSwitched = 1 << 3;

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
        if (SystemOperands.IsPrevented(processor))
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        return SystemOperands.PutSelector(processor, op, processor.Control.Cr0);
    }

    public static Op* LoadMachineStatus(Processor processor, Op* op)
    {
        if (processor.CurrentPrivilegeLevel != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        if (!SystemOperands.TryWord(processor, op, out ulong value))
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
}
