using MemVirt.Core.Stages;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Results;

namespace MemVirt.Simulation.Engine;

/// <summary>The cache that made a reference of a walk needless.</summary>
internal enum SkippedBy
{
    None,
    Pml4e,
    Pdpte,
    Pde,
    NestedTlb,
    NestedPml4e,
    NestedPdpte,
    NestedPde,
    Count,
}

/// <summary>Which cache has hit since last asked, by its hit count.</summary>
internal sealed class CacheHits(PagingStructureCaches? caches, NestedTlb? nestedTlb, PagingStructureCaches? nestedCaches)
{
    private readonly long[] _seen = new long[(int)SkippedBy.Count];

    /// <summary>The counts that skips by cache make.</summary>
    internal static WalkCacheHitCounts Named(ReadOnlySpan<long> skips) => new(
        skips[(int)SkippedBy.Pml4e], skips[(int)SkippedBy.Pdpte], skips[(int)SkippedBy.Pde], skips[(int)SkippedBy.NestedTlb],
        skips[(int)SkippedBy.NestedPml4e], skips[(int)SkippedBy.NestedPdpte], skips[(int)SkippedBy.NestedPde]);

    /// <summary>The guest's paging-structure cache that the walk started from, if any.</summary>
    internal SkippedBy GuestCacheSinceLastWalk()
        => FirstGrown(SkippedBy.Pml4e, SkippedBy.Pde);

    /// <summary>What served the second stage since the last column of the grid, if anything did.</summary>
    internal SkippedBy SecondStageSinceLastColumn()
        => FirstGrown(SkippedBy.NestedTlb, SkippedBy.NestedPde);

    internal void Reset() => Array.Clear(_seen);

    private SkippedBy FirstGrown(SkippedBy first, SkippedBy last)
    {
        SkippedBy found = SkippedBy.None;
        for (SkippedBy cache = first; cache <= last; cache++)
        {
            found = HasHit(cache) && found == SkippedBy.None ? cache : found;
        }

        return found;
    }

    /// <summary>Whether a cache has hit since last asked about.</summary>
    internal bool HasHit(SkippedBy cache)
    {
        long before = _seen[(int)cache];
        _seen[(int)cache] = HitsOf(cache);
        return _seen[(int)cache] != before;
    }

    private long HitsOf(SkippedBy cache) => cache switch
    {
        SkippedBy.NestedTlb => nestedTlb?.Hits ?? 0,
        <= SkippedBy.Pde => caches?.HitsAt(4 - (int)cache) ?? 0,
        _ => nestedCaches?.HitsAt(3 - (cache - SkippedBy.NestedPml4e)) ?? 0,
    };
}
