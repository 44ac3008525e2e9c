using MemVirt.Core.Registers;
using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.Execution;

/// <summary>SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS and INT (Intel SDM Vol. 3A §5.8.7, §5.8.8).</summary>
internal static unsafe class SystemCalls
{
    // A flat segment's type, S, P, G and D or L, at their places.
    private const uint FlatCode32 = 0x00C0_9B00;
    private const uint FlatCode64 = 0x00A0_9B00;
    private const uint FlatData = 0x00C0_9300;

    public static Op* SystemCall(Processor processor, Op* op)
    {
        if ((processor.Control.Efer & 1) == 0 || !processor.IsLongModeActive)
        {
            return processor.Raise(op, Vector.InvalidOpcode);
        }

        ref ModelSpecificRegisters msrs = ref processor.Msrs;
        ulong flags = processor.Rflags;
        processor.Register(RegisterFile.Rcx) = processor.RipOf(op->Next);
        processor.Remaining += op->After;
        ulong target = processor.IsLong ? msrs.LongStar : msrs.CompatibilityStar;
        processor.Register(RegisterFile.R11) = flags & ~(ulong)SystemFlag.Resume;
        processor.Rflags = flags & ~msrs.SystemCallMask & ~(ulong)SystemFlag.Resume;
        var selector = (ushort)(msrs.Star >> 32 & 0xFFFC);
        processor.SetSegment(SegmentName.Cs, Flat(selector, FlatCode64, 0));
        processor.SetSegment(SegmentName.Ss, Flat((ushort)(selector + 8), FlatData, 0));
        processor.SetPrivilege(0);
        processor.Rip = target;
        processor.StepByNewFlags(op);
        return null;
    }

    public static Op* SystemReturn(Processor processor, Op* op)
    {
        if ((processor.Control.Efer & 1) == 0 || !processor.IsLongModeActive)
        {
            return processor.Raise(op, Vector.InvalidOpcode);
        }

        bool toLong = op->Size == 8;
        ulong target = processor.Register(RegisterFile.Rcx);
        bool isTarget = !toLong || processor.Unit.Linear.TryCanonicalize(target, dataAccess: false, out _);
        if (processor.CurrentPrivilegeLevel != 0 || !isTarget)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        var selector = (ushort)(processor.Msrs.Star >> 48);
        processor.Remaining += op->After;
        processor.Rflags = processor.Register(RegisterFile.R11) & ~(ulong)SystemFlag.Resume;
        processor.SetSegment(SegmentName.Cs, Flat((ushort)((selector + (toLong ? 16 : 0)) | 3), toLong ? FlatCode64 : FlatCode32, 3));
        processor.SetSegment(SegmentName.Ss, Flat((ushort)((selector + 8) | 3), FlatData, 3));
        processor.SetPrivilege(3);
        processor.Rip = toLong ? target : (uint)target;
        processor.InterruptsMayBeEnabled();
        processor.StepByNewFlags(op);
        return null;
    }

    public static Op* SystemEnter(Processor processor, Op* op)
    {
        ref ModelSpecificRegisters msrs = ref processor.Msrs;
        if ((msrs.SysenterCs & 0xFFFC) == 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        processor.Remaining += op->After;
        bool isLong = processor.IsLongModeActive;
        var selector = (ushort)(msrs.SysenterCs & 0xFFFC);
        processor.SystemFlags &= ~(SystemFlag.Interrupt | SystemFlag.Virtual8086 | SystemFlag.Resume);
        processor.Register(RegisterFile.Rsp) = isLong ? msrs.SysenterEsp : (uint)msrs.SysenterEsp;
        processor.Rip = isLong ? msrs.SysenterEip : (uint)msrs.SysenterEip;
        processor.SetSegment(SegmentName.Cs, Flat(selector, isLong ? FlatCode64 : FlatCode32, 0));
        processor.SetSegment(SegmentName.Ss, Flat((ushort)(selector + 8), FlatData, 0));
        processor.SetPrivilege(0);
        return null;
    }

    public static Op* SystemExit(Processor processor, Op* op)
    {
        ref ModelSpecificRegisters msrs = ref processor.Msrs;
        bool toLong = op->Size == 8;
        ulong rip = processor.Register(RegisterFile.Rdx);
        ulong rsp = processor.Register(RegisterFile.Rcx);
        bool areTargets = !toLong || (processor.Unit.Linear.TryCanonicalize(rip, dataAccess: false, out _)
                                      && processor.Unit.Linear.TryCanonicalize(rsp, dataAccess: false, out _));
        if ((msrs.SysenterCs & 0xFFFC) == 0 || processor.CurrentPrivilegeLevel != 0 || !areTargets)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        processor.Remaining += op->After;
        var selector = (ushort)((msrs.SysenterCs & 0xFFFC) + (toLong ? 32u : 16u));
        processor.Register(RegisterFile.Rsp) = toLong ? rsp : (uint)rsp;
        processor.Rip = toLong ? rip : (uint)rip;
        processor.SetSegment(SegmentName.Cs, Flat((ushort)(selector | 3), toLong ? FlatCode64 : FlatCode32, 3));
        processor.SetSegment(SegmentName.Ss, Flat((ushort)((selector + 8) | 3), FlatData, 3));
        processor.SetPrivilege(3);
        return null;
    }

    public static Op* SwapGs(Processor processor, Op* op)
    {
        if (processor.CurrentPrivilegeLevel != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        SegmentRegister gs = processor.Segments[(int)SegmentName.Gs];
        (gs.Base, processor.Msrs.KernelGsBase) = (processor.Msrs.KernelGsBase, gs.Base);
        processor.SetSegment(SegmentName.Gs, in gs);
        return op + 1;
    }

    /// <summary>INT n.</summary>
    public static Op* Interrupt(Processor processor, Op* op) => processor.RaiseSoftware(op, (int)op->Immediate);

    /// <summary>INT1: no gate's DPL counts.</summary>
    public static Op* DebugTrap(Processor processor, Op* op)
    {
        processor.MergeHeldTraps();
        return processor.RaiseSoftware(op, Vector.Debug, isGateChecked: false);
    }

    public static Op* InterruptOnOverflow(Processor processor, Op* op)
        => processor.Flags.O ? processor.RaiseSoftware(op, Vector.Overflow) : op + 1;

    private static SegmentRegister Flat(ushort selector, uint attributes, int level)
        => new() { Selector = selector, Attributes = attributes | ((uint)level << 13), Limit = uint.MaxValue };
}
