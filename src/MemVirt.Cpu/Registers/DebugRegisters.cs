namespace MemVirt.Cpu;

/// <summary>The debug registers (Intel SDM Vol. 3B §17.2).</summary>
internal struct DebugRegisters
{
    public ulong Dr0;
    public ulong Dr1;
    public ulong Dr2;
    public ulong Dr3;
    public ulong Dr6;
    public ulong Dr7;

    public static DebugRegisters AtReset => new() { Dr6 = 0xFFFF_0FF0, Dr7 = 0x400 };
}
