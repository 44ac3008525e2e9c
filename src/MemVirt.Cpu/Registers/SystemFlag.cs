namespace MemVirt.Cpu;

/// <summary>The bits of RFLAGS that are not arithmetic (Intel SDM Vol. 1 §3.4.3).</summary>
internal static class SystemFlag
{
    public const uint AlwaysOne = 1 << 1;
    public const uint Trap = 1 << 8;
    public const uint Interrupt = 1 << 9;
    public const uint Direction = 1 << 10;
    public const uint PrivilegeLevel = 3 << 12;
    public const uint NestedTask = 1 << 14;
    public const uint Resume = 1 << 16;
    public const uint Virtual8086 = 1 << 17;
    public const uint AlignmentCheck = 1 << 18;
    public const uint VirtualInterrupt = 1 << 19;
    public const uint VirtualInterruptPending = 1 << 20;
    public const uint Identification = 1 << 21;

    /// <summary>Those there are, but for the bit that is always 1 and virtual-8086 mode, which is not there.</summary>
    public const uint Writable = Trap | Interrupt | Direction | PrivilegeLevel | NestedTask | Resume | AlignmentCheck | VirtualInterrupt
                                 | VirtualInterruptPending | Identification;
}
