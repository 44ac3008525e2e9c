using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.Execution;

/// <summary>Instructions that change flags as such.</summary>
internal static unsafe class FlagWrites
{
    private const uint LowFlags = LazyFlags.All | SystemFlag.Trap | SystemFlag.Interrupt | SystemFlag.Direction | SystemFlag.NestedTask
                                  | SystemFlag.PrivilegeLevel;

    /// <summary>POPF and IRET: what CPL and IOPL allow of EFLAGS (Intel SDM Vol. 2 "POPF").</summary>
    public static void Write(Processor processor, uint value, bool is16)
    {
        int level = processor.CurrentPrivilegeLevel;
        uint mask = LazyFlags.All | SystemFlag.Trap | SystemFlag.Direction | SystemFlag.NestedTask | SystemFlag.AlignmentCheck
                    | SystemFlag.Identification | SystemFlag.Resume;
        if (level == 0)
        {
            mask |= SystemFlag.PrivilegeLevel;
        }

        if (level <= IoPrivilegeLevel(processor))
        {
            mask |= SystemFlag.Interrupt;
        }

        if (is16)
        {
            mask &= LowFlags;
        }

        // POPF clears RF; IRET sets it afterwards from the image.
        Put(processor, (value & mask & ~SystemFlag.Resume) | ((uint)processor.Rflags & ~mask & ~SystemFlag.Resume));
    }

    /// <summary>Puts flags in force: the MMU hears of AC, the decoder of TF.</summary>
    public static void Put(Processor processor, uint value)
    {
        uint changed = (uint)processor.Rflags ^ value;
        processor.Rflags = value;
        if ((changed & SystemFlag.AlignmentCheck) != 0)
        {
            processor.SetPrivilege(processor.CurrentPrivilegeLevel);
        }

        if ((changed & SystemFlag.Trap) != 0)
        {
            processor.ModeChanged();
        }
    }

    public static int IoPrivilegeLevel(Processor processor) => (int)(processor.SystemFlags >> 12) & 3;

    public static Op* ClearCarry(Processor processor, Op* op)
    {
        processor.Flags.SetCarry(false);
        return op + 1;
    }

    public static Op* SetCarry(Processor processor, Op* op)
    {
        processor.Flags.SetCarry(true);
        return op + 1;
    }

    public static Op* ComplementCarry(Processor processor, Op* op)
    {
        processor.Flags.SetCarry(!processor.Flags.C);
        return op + 1;
    }

    public static Op* ClearDirection(Processor processor, Op* op)
    {
        processor.SystemFlags &= ~SystemFlag.Direction;
        return op + 1;
    }

    public static Op* SetDirection(Processor processor, Op* op)
    {
        processor.SystemFlags |= SystemFlag.Direction;
        return op + 1;
    }

    public static Op* ClearInterrupt(Processor processor, Op* op)
    {
        if (processor.CurrentPrivilegeLevel > IoPrivilegeLevel(processor))
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        if (processor.IsInterruptedBefore(op))
        {
            return null;
        }

        processor.SystemFlags &= ~SystemFlag.Interrupt;
        return op + 1;
    }

    public static Op* SetInterrupt(Processor processor, Op* op)
    {
        if (processor.CurrentPrivilegeLevel > IoPrivilegeLevel(processor))
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        bool wasClear = (processor.SystemFlags & SystemFlag.Interrupt) == 0;
        processor.SystemFlags |= SystemFlag.Interrupt;
        if (!wasClear || !processor.Bus.Interrupts.IsPending)
        {
            return op + 1;
        }

        processor.LeaveAfter(op);
        processor.ShadowInterrupts();
        return null;
    }

    public static Op* LoadAh(Processor processor, Op* op)
    {
        processor.R[RegisterFile.Rax + 1] = (byte)(processor.Flags.Value | SystemFlag.AlwaysOne);
        return op + 1;
    }

    public static Op* StoreAh(Processor processor, Op* op)
    {
        uint kept = processor.Flags.Value & LazyFlags.Overflow;
        processor.Flags.Set((processor.R[RegisterFile.Rax + 1] & LazyFlags.All & 0xFF) | kept);
        return op + 1;
    }

    public static Op* ClearAlignmentCheck(Processor processor, Op* op) => SetAlignmentCheck(processor, op, isOn: false);

    public static Op* SetAlignmentCheck(Processor processor, Op* op) => SetAlignmentCheck(processor, op, isOn: true);

    private static Op* SetAlignmentCheck(Processor processor, Op* op, bool isOn)
    {
        if (processor.CurrentPrivilegeLevel != 0 || !processor.Profile.SupervisorAccessPrevention)
        {
            return processor.Raise(op, Vector.InvalidOpcode);
        }

        processor.SystemFlags = isOn
            ? processor.SystemFlags | SystemFlag.AlignmentCheck : processor.SystemFlags & ~SystemFlag.AlignmentCheck;
        processor.SetPrivilege(0);
        return op + 1;
    }
}
