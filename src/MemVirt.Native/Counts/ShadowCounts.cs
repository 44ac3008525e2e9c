namespace MemVirt.Native.Counts;

/// <summary>Events of shadow paging during one step of an experiment.</summary>
/// <param name="Faults">Page faults that the VMM handled: KVM's pf_taken without the one that ends the step.</param>
/// <param name="Unsync">Leaf tables that went out of sync: mmu_unsync.</param>
/// <param name="Emulated">Stores to a protected table, which were emulated: mmu_pte_write.</param>
/// <param name="Flooded">Tables whose shadow was removed because of writes: mmu_flooded.</param>
/// <param name="Built">Shadow pages built: mmu_cache_miss.</param>
public sealed record ShadowCounts(long Faults, long Unsync, long Emulated, long Flooded, long Built);

/// <summary>One step of an experiment, on both sides.</summary>
/// <param name="Name">What the guest does.</param>
/// <param name="Host">KVM's own counts.</param>
/// <param name="Engine">The engine's.</param>
public sealed record CountStep(string Name, ShadowCounts Host, ShadowCounts Engine)
{
    /// <summary>Whether all counts are equal.</summary>
    public bool Agrees => Host == Engine;
}

/// <summary>One experiment.</summary>
/// <param name="Name">The guest's tables.</param>
/// <param name="Steps">Its steps, in order; empty where it was not run.</param>
/// <param name="NotRun">Why it was not run; null where it was.</param>
public sealed record CountExperiment(string Name, IReadOnlyList<CountStep> Steps, string? NotRun);
