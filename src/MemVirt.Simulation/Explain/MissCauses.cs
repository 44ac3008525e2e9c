using MemVirt.Core.Addresses;
using MemVirt.Simulation.Engine;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;

namespace MemVirt.Simulation.Explain;

/// <summary>
/// Why TLBs and paging-structure caches did not have what a translation needed, from what was touched before. It rests on the model:
/// each completed walk enters its address in every cache, so that what was touched once and is absent now has been displaced.
/// </summary>
internal sealed class MissCauses(Regime regime, MachineDescription machine, PageSize guestPages, PageSize hostPages)
{
    private readonly PageSize _effective = regime == Regime.Native ? guestPages : PageSizeExtensions.Smaller(guestPages, hostPages);

    /// <summary>The causes, of the TLBs first, then of the deepest paging-structure cache that could have helped.</summary>
    /// <param name="attempt">The translation's first attempt.</param>
    /// <param name="history">What was touched before it.</param>
    /// <param name="flushes">Whether everything was flushed at any time before it.</param>
    internal IReadOnlyList<CacheMiss> Of(AttemptExplanation attempt, TouchHistory history, bool flushes)
    {
        var misses = new List<CacheMiss>();
        foreach (TlbLookup lookup in attempt.Lookups.Where(lookup => !lookup.IsHit))
        {
            misses.Add(lookup.Level == TranslationCache.L2 ? OfL2(lookup, history, flushes) : OfL1(lookup, history, flushes));
        }

        if (attempt is { IsHypothetical: false, Walk: { } walk } && OfPagingStructures(walk, history, flushes) is { } miss)
        {
            misses.Add(miss);
        }

        return misses;
    }

    private CacheMiss OfL1(TlbLookup lookup, TouchHistory history, bool flushes)
    {
        IReadOnlyList<TlbStructureDescription> structures = lookup.Level == TranslationCache.L1i ? machine.Tlb.L1i : machine.Tlb.L1d;
        if (TlbLevel.LargestHeld(structures, _effective) is not { } held)
        {
            return new CacheMiss(lookup.Level, MissCause.NoSuchCache, 0);
        }

        // Where the second level holds smaller pieces than the first, what it hands on depends on more than what was touched.
        bool isKnown = TlbLevel.LargestHeld(machine.Tlb.L2, _effective) is not { } fromL2 || fromL2 >= held;
        long last = history.Last(held.LeafLevel());
        long lastOfKind = history.LastOfKind(held.LeafLevel());
        MissCause cause = lookup.WasClean ? MissCause.Clean
            : !isKnown ? MissCause.Unknown
            : last == 0 ? MissCause.FirstTouch
            : lastOfKind == 0 ? MissCause.FirstTouchOfKind
            : flushes || (regime == Regime.Shadow && last > lastOfKind) ? MissCause.Lost
            : MissCause.Evicted;
        return new CacheMiss(lookup.Level, cause, last);
    }

    private CacheMiss OfL2(TlbLookup lookup, TouchHistory history, bool flushes)
    {
        if (TlbLevel.LargestHeld(machine.Tlb.L2, _effective) is not { } held)
        {
            return new CacheMiss(lookup.Level, MissCause.NoSuchCache, 0);
        }

        long last = history.Last(held.LeafLevel());
        MissCause cause = lookup.WasClean ? MissCause.Clean
            : last == 0 ? MissCause.FirstTouch
            : held != _effective ? MissCause.Unknown
            : flushes ? MissCause.Lost
            : MissCause.Evicted;
        return new CacheMiss(lookup.Level, cause, last);
    }

    /// <summary>The deepest cache above the leaf; null where it has hit.</summary>
    private CacheMiss? OfPagingStructures(WalkExplanation walk, TouchHistory history, bool flushes)
    {
        PageSize walked = regime == Regime.Shadow ? _effective : guestPages;
        int level = walked.LeafLevel() + 1;
        (TranslationCache cache, StructureDescription? structure, WalkServer server) = level switch
        {
            1 => (TranslationCache.Pde, machine.WalkCaches?.Pde, WalkServer.PdeCache),
            2 => (TranslationCache.Pdpte, machine.WalkCaches?.Pdpte, WalkServer.PdpteCache),
            _ => (TranslationCache.Pml4e, machine.WalkCaches?.Pml4e, WalkServer.Pml4eCache),
        };
        if (walk.CacheHits.Any(hit => hit.Cache == server))
        {
            return null;
        }

        long last = history.Last(level);
        MissCause cause = structure is null ? MissCause.NoSuchCache
            : last == 0 ? MissCause.FirstTouch
            : flushes ? MissCause.Lost
            : MissCause.Evicted;
        return new CacheMiss(cache, cause, last);
    }
}
