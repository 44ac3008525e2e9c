using System.Text.Json.Serialization;

namespace MemVirt.Simulation.Results;

/// <summary>One comparison: one machine, one guest, several regimes. Serialises as <c>memvirt.compare/1</c>.</summary>
public sealed record ComparisonResult(
    string Machine,
    string GuestPages,
    string HostPages,
    IReadOnlyList<InputSummary> Inputs,
    IReadOnlyList<RegimeResult> Regimes)
{
    /// <summary>The schema's name and version.</summary>
    [JsonPropertyOrder(-1)]
    public string Schema => "memvirt.compare/1";

    /// <summary>What <see cref="ComparisonOptions.Details"/> asks for; null, and absent from the JSON, where it does not.</summary>
    [JsonPropertyOrder(1)]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ComparisonDetails? Details { get; init; }
}

/// <summary>What was read of one input, the warm-up included.</summary>
public sealed record InputSummary(
    string Path,
    string Format,
    long References,
    long InstructionFetches,
    long Loads,
    long Stores,
    long Crossings,
    long DistinctPages4k);

/// <summary>Counts and cycles of one regime after the warm-up.</summary>
public sealed record RegimeResult(
    string Regime,
    long References,
    long Translations,
    TlbCounts Tlb,
    long Walks,
    WalkReferenceCounts WalkReferences,
    FaultedWalkCounts FaultedWalks,
    WalkCacheHitCounts WalkCacheHits,
    EventCounts Events,
    CycleCounts Cycles,
    SimulationCost Simulation)
{
    /// <summary>Exits of a running guest by reason; null, and absent from the JSON, of a trace and of a regime without exits.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<string, long>? ExitReasons { get; init; }

    /// <summary>
    /// Walks of a running guest that found a guest's table changed since the reference was made, and are left out; null, and absent from the
    /// JSON, of a trace.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? OutrunWalks { get; init; }

    /// <summary>
    /// References of a running guest under paging that shadow paging does not follow (protection keys, SMAP with CR0.WP clear),
    /// whose tables were walked as they are; null, and absent from the JSON, of a trace and of other regimes.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? ReferencesNotShadowed { get; init; }
}

/// <summary>Hits and misses of the three TLB structures' levels.</summary>
public sealed record TlbCounts(HitMissCounts L1i, HitMissCounts L1d, HitMissCounts L2);

/// <summary>Look-ups that hit and that missed.</summary>
public sealed record HitMissCounts(long Hits, long Misses);

/// <summary>Table reads of completed walks by the kind of table; <c>PerWalk</c> is 0 where no walk completed.</summary>
public sealed record WalkReferenceCounts(long Guest, long SecondStage, long Shadow, long Total, double PerWalk);

/// <summary>Walks that ended in a fault, and the table reads they made.</summary>
public sealed record FaultedWalkCounts(long Count, long References);

/// <summary>Hits of the paging-structure caches and the nested TLB, in completed and faulted walks.</summary>
public sealed record WalkCacheHitCounts(
    long Pml4e, long Pdpte, long Pde, long NestedTlb, long NestedPml4e, long NestedPdpte, long NestedPde);

/// <summary>Software events.</summary>
public sealed record EventCounts(
    long GuestPageFaults,
    long PageTableWrites,
    long ContextSwitches,
    long SecondStageFaults,
    long ShadowFaults,
    long DirtyFaults,
    long ProtectedTableWrites,
    long Unsyncs,
    long ShadowZaps,
    long Exits);

/// <summary>Cycles by cause; <c>OverheadVsNative</c> is null where native was not run.</summary>
public sealed record CycleCounts(
    double Base, double Tlb, double Walk, double Faults, double Exits, double Total, double PerReference, double? OverheadVsNative);

/// <summary>What the simulation itself cost; the only part of a result that differs from run to run.</summary>
public sealed record SimulationCost(double Seconds, double ReferencesPerSecond, long AllocatedBytes);
