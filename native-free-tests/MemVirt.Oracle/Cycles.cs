namespace MemVirt.Oracle;

/// <summary>Prices the counts.</summary>
internal static class Cycles
{
    private static readonly Counter[] WalkCacheHits =
    [
        Counter.Pml4eHits, Counter.PdpteHits, Counter.PdeHits,
        Counter.NestedTlbHits, Counter.NestedPml4eHits, Counter.NestedPdpteHits, Counter.NestedPdeHits,
    ];

    /// <summary>
    /// Adds <c>events.exits</c> and <c>cycles.*</c>. A kind's handler is paid for only where that kind is an exit.
    /// </summary>
    public static void AddTo(
        Dictionary<string, double> result,
        Counts counts,
        MachineDescription machine,
        IReadOnlyList<(string Kind, Counter Counter)> exits)
    {
        long exitCount = exits.Sum(exit => counts[exit.Counter]);
        double handlers = exits.Sum(exit => counts[exit.Counter] * machine.HandlerCycles.GetValueOrDefault(exit.Kind));
        double walkReads = machine.Caches is null
            ? (counts[Counter.TotalReads] + counts[Counter.FaultedReads]) * machine.WalkReferenceCycles
            : counts.WalkReadCycles;

        double baseCycles = counts[Counter.InstructionFetches] * machine.BaseCpi
            + counts.DataCyclesBeyondL1 * (1 - machine.Overlap);
        double walk = walkReads + WalkCacheHits.Sum(hits => counts[hits]) * machine.WalkCacheLatency;
        double faults = counts[Counter.GuestPageFaults] * machine.GuestFaultCycles
            + counts[Counter.ContextSwitches] * machine.ContextSwitchCycles;
        double exitCycles = exitCount * machine.ExitCycles + handlers;

        result["events.exits"] = exitCount;
        result["cycles.base"] = baseCycles;
        result["cycles.tlb"] = counts.L2TlbCycles;
        result["cycles.walk"] = walk;
        result["cycles.faults"] = faults;
        result["cycles.exits"] = exitCycles;
        result["cycles.total"] = baseCycles + counts.L2TlbCycles + walk + faults + exitCycles;
    }
}
