namespace MemVirt.Cpu;

/// <summary>The MSRs of system calls, segment bases and what else the processor keeps for itself (Intel SDM Vol. 4).</summary>
internal struct ModelSpecificRegisters
{
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
}
