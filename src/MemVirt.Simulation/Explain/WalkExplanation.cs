using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Sources;

namespace MemVirt.Simulation.Explain;

/// <summary>One walk: every reference that it would have without caches, in order, and how it ended.</summary>
/// <param name="References">The references, read and skipped.</param>
/// <param name="CacheHits">The hits of walk caches, in order.</param>
/// <param name="Address">The linear address walked, bits 47:0.</param>
/// <param name="Outcome">The translation, or the fault with what hardware reports of it.</param>
public sealed record WalkExplanation(
    IReadOnlyList<WalkReference> References, IReadOnlyList<WalkCacheHit> CacheHits, ulong Address, Translation Outcome)
{
    /// <summary>Whether it ended in a translation.</summary>
    public bool IsComplete => Outcome.Status == TranslationStatus.Ok;

    /// <summary>References that were made.</summary>
    public int Reads => References.Count(reference => !reference.IsSkipped);

    /// <summary>References that a cache made needless.</summary>
    public int Skipped => References.Count - Reads;

    /// <summary>Reads and hits of walk caches, in cycles.</summary>
    public double Cycles => References.Sum(reference => reference.Cycles) + CacheHits.Sum(hit => hit.Cycles);

    /// <summary>The host-physical address reached, where it is complete.</summary>
    public ulong HostPhysical => Outcome.HostPage + (Address & (Outcome.Size.SizeBytes() - 1));

    /// <summary>The guest-physical address reached, where it is complete; under shadow paging hardware sees none, and it is the host's.</summary>
    public ulong GuestPhysical => Outcome.GuestPhysical + (Address & (Outcome.Size.SizeBytes() - 1));
}
