namespace MemVirt.Cpu;

/// <summary>GDTR, IDTR, LDTR and TR (Intel SDM Vol. 3A §2.4).</summary>
internal struct DescriptorTables
{
    public ulong GdtBase;
    public ushort GdtLimit;
    public ulong IdtBase;
    public ushort IdtLimit;
    public SegmentRegister Ldt;
    public SegmentRegister Task;
}
