namespace MemVirt.Oracle;

/// <summary>What is counted, in the order of the result's JSON.</summary>
internal enum Counter
{
    References,
    Translations,
    L1InstructionHits,
    L1InstructionMisses,
    L1DataHits,
    L1DataMisses,
    L2Hits,
    L2Misses,
    Walks,
    GuestReads,
    SecondStageReads,
    ShadowReads,
    TotalReads,
    FaultedWalks,
    FaultedReads,
    Pml4eHits,
    PdpteHits,
    PdeHits,
    NestedTlbHits,
    NestedPml4eHits,
    NestedPdpteHits,
    NestedPdeHits,
    GuestPageFaults,
    PageTableWrites,
    ContextSwitches,
    SecondStageFaults,
    ShadowFaults,
    DirtyFaults,
    ProtectedTableWrites,
    Unsyncs,
    ShadowZaps,

    /// <summary>Needed for the cycles alone.</summary>
    InstructionFetches,
}

/// <summary>Everything the warm-up's end sets back to zero.</summary>
internal sealed class Counts
{
    private static readonly string[] Paths =
    [
        "references", "translations",
        "tlb.l1i.hits", "tlb.l1i.misses", "tlb.l1d.hits", "tlb.l1d.misses", "tlb.l2.hits", "tlb.l2.misses",
        "walks",
        "walkReferences.guest", "walkReferences.secondStage", "walkReferences.shadow", "walkReferences.total",
        "faultedWalks.count", "faultedWalks.references",
        "walkCacheHits.pml4e", "walkCacheHits.pdpte", "walkCacheHits.pde", "walkCacheHits.nestedTlb",
        "walkCacheHits.nestedPml4e", "walkCacheHits.nestedPdpte", "walkCacheHits.nestedPde",
        "events.guestPageFaults", "events.pageTableWrites", "events.contextSwitches", "events.secondStageFaults",
        "events.shadowFaults", "events.dirtyFaults", "events.protectedTableWrites", "events.unsyncs", "events.shadowZaps",
    ];

    private readonly long[] _values = new long[Enum.GetValues<Counter>().Length];

    /// <summary>Sum over L2-TLB hits of the latency of the structure that hit.</summary>
    public double L2TlbCycles { get; set; }

    /// <summary>Sum over all walks' reads of the latency of the cache level that served them; zero without caches.</summary>
    public double WalkReadCycles { get; set; }

    /// <summary>Sum over data accesses of the latency beyond L1; zero without caches.</summary>
    public double DataCyclesBeyondL1 { get; set; }

    public long this[Counter counter]
    {
        get => _values[(int)counter];
        set => _values[(int)counter] = value;
    }

    public void Reset()
    {
        Array.Clear(_values);
        L2TlbCycles = 0;
        WalkReadCycles = 0;
        DataCyclesBeyondL1 = 0;
    }

    public Dictionary<string, double> ToDictionary()
    {
        Dictionary<string, double> result = [];
        for (int i = 0; i < Paths.Length; i++)
        {
            result[Paths[i]] = _values[i];
        }

        return result;
    }
}
