namespace MemVirt.Cpu;

/// <summary>The MSRs of system calls, segment bases and what else the processor keeps for itself (Intel SDM Vol. 4).</summary>
internal struct ModelSpecificRegisters
{
    /// <summary>As after reset: the PAT's types are those that PCD and PWT had before there was one (Intel SDM Vol. 3A table 11-12).</summary>
    public static readonly ModelSpecificRegisters AtReset = new() { PageAttributes = 0x0007_0406_0007_0406 };

    public ulong Star;
    public ulong LongStar;
    public ulong CompatibilityStar;
    public ulong SystemCallMask;
    public ulong KernelGsBase;
    public ulong SysenterCs;
    public ulong SysenterEsp;
    public ulong SysenterEip;
    public ulong TscAux;
    public ulong PageAttributes;
    public ulong MiscEnable;
    public ulong MachineCheckStatus;
}
