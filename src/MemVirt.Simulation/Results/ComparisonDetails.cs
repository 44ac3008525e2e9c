namespace MemVirt.Simulation.Results;

/// <summary>What a comparison counts besides where <see cref="ComparisonOptions.Details"/> asks for it.</summary>
/// <param name="Regimes">Details of each regime, in the result's order.</param>
/// <param name="Reuse">How soon pages are used again, whatever the regime.</param>
public sealed record ComparisonDetails(IReadOnlyList<RegimeDetails> Regimes, ReuseDistances Reuse);

/// <summary>One regime's walks cell by cell, and its counters over time; the warm-up is not in them.</summary>
/// <param name="Regime">The regime.</param>
/// <param name="Cells">
/// A cell for each reference that a walk of four levels may need: 4 native and under shadow paging, 24 under EPT and NPT, in the order
/// of the walk.
/// </param>
/// <param name="Slices">
/// The references in 200 parts of nearly equal length, in order; fewer where there are less than 51,200 references. Their counts add up to
/// the regime's.
/// </param>
public sealed record RegimeDetails(string Regime, IReadOnlyList<WalkCell> Cells, IReadOnlyList<TimeSlice> Slices);

/// <summary>One reference of a walk, over all walks that completed.</summary>
/// <param name="Guest">
/// The guest's level that it serves (under shadow paging the shadow table's): PML4E, PDPTE, PDE or PTE; <c>page</c> for the translation of the
/// final address.
/// </param>
/// <param name="SecondStage">The second stage's level; null for the read of the guest's entry itself.</param>
/// <param name="Reads">How often it was made.</param>
/// <param name="CyclesPerRead">Its mean latency; 0 where it was never made.</param>
/// <param name="Skipped">How often it was not, because of which cache. What is missing to the walks, a large page left out.</param>
public sealed record WalkCell(string Guest, string? SecondStage, long Reads, double CyclesPerRead, WalkCacheHitCounts Skipped);

/// <summary>Counters of a part of the references.</summary>
/// <param name="First">The first reference's number, from 0, after the warm-up.</param>
/// <param name="References">How many references.</param>
/// <param name="L1Misses">Misses of both first-level TLBs.</param>
/// <param name="L2Misses">Misses of the second-level TLB; those of the first where there is none.</param>
/// <param name="Walks">Walks completed.</param>
/// <param name="WalkCycles">Cycles of walks, those that faulted too.</param>
/// <param name="GuestPageFaults">Page faults of the guest's own.</param>
/// <param name="Exits">VM exits.</param>
public sealed record TimeSlice(
    long First, long References, long L1Misses, long L2Misses, long Walks, double WalkCycles, long GuestPageFaults, long Exits);

/// <summary>
/// Page-reuse distances: how many other pages are used between two uses of a page (the LRU stack distance, Mattson et al. 1970). A
/// fully associative LRU TLB of N entries misses those of N and more, and the first uses.
/// </summary>
/// <param name="Pages">The page size, the smaller of the guest's and the VMM's.</param>
/// <param name="Uses">Uses of pages: a reference each, two where its bytes lie in two pages.</param>
/// <param name="FirstUses">Uses of pages not used before.</param>
/// <param name="Distances">
/// Element 0: uses of the page just used. Element i: uses with 2^(i−1) up to 2^i − 1 other pages since. <see cref="FirstUses"/> are in none.
/// </param>
public sealed record ReuseDistances(string Pages, long Uses, long FirstUses, IReadOnlyList<long> Distances);
