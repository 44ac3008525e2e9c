using MemVirt.Core.Access;
using MemVirt.Core.Invalidation;

namespace MemVirt.Core.Sources;

/// <summary>What answers when the TLB does not: a composition of walks. It allocates nothing.</summary>
public interface ITranslationSource
{
    /// <summary>The context number that paging-structure caches are tagged with, set by the MMU on a change of context.</summary>
    uint Context { get; set; }

    /// <summary>Which accesses the rights of a translation allow.</summary>
    AccessPolicy Policy { get; }

    /// <summary>Translates a linear address (its bits 56:0, or as many as the paging mode has) for an access that needs the given rights.</summary>
    Translation Translate(ulong address, AccessRights needed);

    /// <summary>Forgets what caches hold; <paramref name="context"/> is the number of the context named, where it names one.</summary>
    void Invalidate(in TlbInvalidation invalidation, uint context);
}
