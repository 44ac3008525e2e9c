using MemVirt.Cpu.Interrupts;
using MemVirt.Cpu.Spaces;

namespace MemVirt.Cpu;

/// <summary>What a guest did, in events from reset.</summary>
/// <param name="Instructions">Instructions retired.</param>
/// <param name="VirtualNanoseconds">Virtual time, what was slept through in HLT with it.</param>
/// <param name="PageFaults">Page faults delivered to it.</param>
/// <param name="OtherExceptions">Other exceptions, INT n among them.</param>
/// <param name="ExternalInterrupts">Interrupts from devices.</param>
/// <param name="ControlRegisterWrites">MOV to control registers.</param>
/// <param name="Cr3Loads">MOV to CR3.</param>
/// <param name="Invalidations">INVLPG and INVPCID.</param>
/// <param name="PortAccesses">IN, OUT, and steps of INS and OUTS.</param>
/// <param name="DeviceAccesses">Accesses to devices' memory.</param>
/// <param name="Halts">HLT.</param>
/// <param name="Cpuids">CPUID.</param>
/// <param name="MsrAccesses">RDMSR and WRMSR.</param>
/// <param name="TlbMisses">Translations that a walk completed.</param>
/// <param name="SecondStageFaults">EPT violations or nested page faults.</param>
/// <param name="ShadowFaults">Faults that reached the shadow pager.</param>
/// <param name="CodeFramesWritten">Writes to frames that held decoded code.</param>
/// <param name="Unimplemented">Instructions met that are not implemented.</param>
public sealed record GuestSummary(
    ulong Instructions,
    ulong VirtualNanoseconds,
    long PageFaults,
    long OtherExceptions,
    long ExternalInterrupts,
    long ControlRegisterWrites,
    long Cr3Loads,
    long Invalidations,
    long PortAccesses,
    long DeviceAccesses,
    long Halts,
    long Cpuids,
    long MsrAccesses,
    long TlbMisses,
    long SecondStageFaults,
    long ShadowFaults,
    long CodeFramesWritten,
    long Unimplemented)
{
    internal static GuestSummary Of(GuestMachine machine)
    {
        Processor processor = machine.Processor;
        ProcessorStatistics statistics = processor.Statistics;
        long vectors = 0;
        foreach (long count in statistics.Vectors)
        {
            vectors += count;
        }

        long pageFaults = statistics.Vectors[Vector.PageFault];
        return new GuestSummary(
            processor.Retired, processor.Now, pageFaults, vectors - pageFaults - statistics.ExternalInterrupts,
            statistics.ExternalInterrupts, statistics.ControlRegisterWrites, statistics.Cr3Writes, statistics.Invlpgs + statistics.Invpcids,
            statistics.PortAccesses, statistics.DeviceAccesses, statistics.Halts, statistics.Cpuids,
            statistics.MsrReads + statistics.MsrWrites, processor.Unit.Mmu.Walks, machine.Space.SecondStageFaults,
            (machine.Space as ShadowSpace)?.Statistics.FaultsTaken ?? 0, statistics.CodeFramesWritten, statistics.Unimplemented);
    }
}
