using MemVirt.Core.Memory;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Engine;

namespace MemVirt.Simulation.Live;

/// <summary>
/// Reads a running guest's tables, second-stage tables and shadow tables, and meters each read. Sets no flag: the run has set what it sets.
/// </summary>
internal readonly struct LiveReader(GuestMemory guest, SparseMemory secondStage, SparseMemory shadow, WalkMeter meter) : ITableReader
{
    public ulong Read(ulong hostAddress, TableKind kind, int level)
    {
        meter.Count(kind, level, hostAddress);
        return kind switch
        {
            TableKind.Guest => guest.Read(hostAddress),
            TableKind.SecondStage => secondStage.Read(hostAddress),
            _ => shadow.Read(hostAddress),
        };
    }

    public bool TryReplace(ulong hostAddress, ulong expected, ulong replacement) => true;
}
