using MemVirt.Core.Addresses;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;

namespace MemVirt.Simulation;

/// <summary>What to compare. The decoded references are shared by all machines and regimes.</summary>
public sealed record ComparisonOptions
{
    /// <summary>The machines; one result each, in this order.</summary>
    public required IReadOnlyList<MachineDescription> Machines { get; init; }

    /// <summary>The regimes, in the order of the result.</summary>
    public IReadOnlyList<Regime> Regimes { get; init; } = [Regime.Native, Regime.Shadow, Regime.Ept, Regime.Npt];

    /// <summary>The page size of the guest's operating system.</summary>
    public PageSize GuestPages { get; init; } = PageSize.Size4K;

    /// <summary>The page size with which the VMM backs guest-physical memory.</summary>
    public PageSize HostPages { get; init; } = PageSize.Size4K;

    /// <summary>References a process runs before the next one's turn; at least 1.</summary>
    public long Quantum { get; init; } = 100_000;

    /// <summary>References to take over all inputs, from the first; null for all.</summary>
    public long? References { get; init; }

    /// <summary>References, over all inputs from the first, after which the counters are reset.</summary>
    public long Warmup { get; init; }

    /// <summary>
    /// Whether walks are counted cell by cell, counters kept over time and page-reuse distances measured:
    /// <see cref="ComparisonResult.Details"/>. The counts do not depend on it; a run takes up to twice as long.
    /// </summary>
    public bool Details { get; init; }

    /// <summary>Threads that decode and simulate; at least 1. The counts do not depend on it.</summary>
    public int Jobs { get; init; } = 1;
}
