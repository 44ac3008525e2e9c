using MemVirt.Core.Addresses;
using MemVirt.Core.Shadow;
using MemVirt.Core.Sources;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Explain;

/// <summary>What translates addresses ahead of a walk, or shortens it.</summary>
public enum TranslationCache
{
    /// <summary>First-level instruction TLB.</summary>
    L1i,

    /// <summary>First-level data TLB.</summary>
    L1d,

    /// <summary>Second-level TLB.</summary>
    L2,

    /// <summary>The PDE cache.</summary>
    Pde,

    /// <summary>The PDPTE cache.</summary>
    Pdpte,

    /// <summary>The PML4E cache.</summary>
    Pml4e,
}

/// <summary>Why a cache had no usable entry, as far as it can be told for certain.</summary>
public enum MissCause
{
    /// <summary>The machine has no such cache, or none for pages of this size.</summary>
    NoSuchCache,

    /// <summary>Nothing that its entry would stand for had been touched before.</summary>
    FirstTouch,

    /// <summary>Touched before, but by fetches only where this is data, or by data only where this is a fetch.</summary>
    FirstTouchOfKind,

    /// <summary>It had the entry, but of a page not dirty yet: a store has to walk.</summary>
    Clean,

    /// <summary>It had the entry once; other entries have taken its place since.</summary>
    Evicted,

    /// <summary>It had the entry once, and lost it to other entries, a flush or a fault.</summary>
    Lost,

    /// <summary>Cannot be told.</summary>
    Unknown,
}

/// <summary>A cache that did not have what the access needed.</summary>
/// <param name="Cache">The cache.</param>
/// <param name="Cause">Why not.</param>
/// <param name="LastTouch">The latest reference before that touched what its entry would stand for, counted from 1; 0 for none.</param>
public sealed record CacheMiss(TranslationCache Cache, MissCause Cause, long LastTouch);

/// <summary>One look-up of a TLB level.</summary>
/// <param name="Level">The level.</param>
/// <param name="IsHit">Whether it answered.</param>
/// <param name="WasClean">Whether a store found an entry that does not allow stores yet, which drops it.</param>
/// <param name="Structure">Which of the level's structures had an entry, by its place in the machine's file; −1 for none.</param>
/// <param name="Size">The page size of that entry.</param>
/// <param name="Cycles">What the hit cost.</param>
public sealed record TlbLookup(TranslationCache Level, bool IsHit, bool WasClean, int Structure, PageSize? Size, double Cycles);

/// <summary>One attempt at a translation; it ends with a translation or with a fault.</summary>
/// <param name="Lookups">The TLB look-ups.</param>
/// <param name="Walk">The walk; where a TLB answered, the one that would have been made had it not.</param>
/// <param name="IsHypothetical">Whether the walk was not made because a TLB answered.</param>
/// <param name="Software">What the guest's and the VMM's software then did; all 0 where nothing was to be done.</param>
/// <param name="SoftwareCycles">What that cost: faults, exits and their handlers.</param>
/// <param name="Shadow">Under shadow paging with tables made for the access, what the VMM found the fault to be; else null.</param>
/// <param name="Injected">With <see cref="ShadowFaultKind.Guest"/>, the guest's own fault, which the VMM injects; else null.</param>
public sealed record AttemptExplanation(
    IReadOnlyList<TlbLookup> Lookups, WalkExplanation? Walk, bool IsHypothetical, EventCounts Software, double SoftwareCycles,
    ShadowFaultKind? Shadow = null, Translation? Injected = null)
{
    /// <summary>TLB hit, walk and software, in cycles; the walk only where it was made.</summary>
    public double Cycles => Lookups.Sum(lookup => lookup.Cycles) + (IsHypothetical ? 0 : Walk?.Cycles ?? 0) + SoftwareCycles;
}

/// <summary>One translation: of an access's first page, or of its last where it crosses into another.</summary>
/// <param name="Address">The linear address, bits 47:0.</param>
/// <param name="Attempts">The attempts; all but the last ended in a fault that software mended.</param>
/// <param name="Misses">Why the caches did not spare the first attempt's walk.</param>
/// <param name="Again">The walk as it would be right afterwards if the TLBs alone were empty; null where that was not asked.</param>
public sealed record TranslationExplanation(
    ulong Address, IReadOnlyList<AttemptExplanation> Attempts, IReadOnlyList<CacheMiss> Misses, WalkExplanation? Again = null)
{
    /// <summary>All attempts, in cycles.</summary>
    public double Cycles => Attempts.Sum(attempt => attempt.Cycles);
}

/// <summary>One access under one regime.</summary>
/// <param name="Regime">The regime.</param>
/// <param name="Access">What it does, its address and size.</param>
/// <param name="Translations">Its one translation, or two where it crosses into another page.</param>
/// <param name="FirstTouch">For tables made for the access, what mapping its page cost before; null with a trace.</param>
public sealed record AccessExplanation(
    Regime Regime, MemoryReference Access, IReadOnlyList<TranslationExplanation> Translations, EventCounts? FirstTouch = null)
{
    /// <summary>All translations, in cycles.</summary>
    public double Cycles => Translations.Sum(translation => translation.Cycles);
}
