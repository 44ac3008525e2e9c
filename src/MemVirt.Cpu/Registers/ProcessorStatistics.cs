namespace MemVirt.Cpu;

/// <summary>What a processor counts, in events from reset.</summary>
internal sealed class ProcessorStatistics
{
    /// <summary>Exceptions and interrupts delivered, by vector.</summary>
    public long[] Vectors { get; } = new long[256];

    public long ExternalInterrupts;
    public long ControlRegisterWrites;
    public long Cr3Writes;
    public long Invlpgs;
    public long Invpcids;
    public long PortAccesses;
    public long DeviceAccesses;
    public long Halts;
    public long Cpuids;
    public long MsrReads;
    public long MsrWrites;
    public long BlocksBuilt;
    public long CodeFramesWritten;
    public long Unimplemented;
}
