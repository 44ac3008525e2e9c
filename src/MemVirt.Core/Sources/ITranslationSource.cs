using MemVirt.Core.Access;
using MemVirt.Core.Invalidation;

namespace MemVirt.Core.Sources;

/// <summary>What answers when the TLB does not: a composition of walks. It allocates nothing.</summary>
public interface ITranslationSource
{
    /// <summary>The context number that paging-structure caches are tagged with, set by the MMU on a change of context.</summary>
    uint Context { get; set; }

    /// <summary>Whether there are paging-structure caches.</summary>
    bool HasTableCaches { get; }

    /// <summary>Which accesses the rights of a translation allow.</summary>
    AccessPolicy Policy { get; }

    /// <summary>Bits of a canonical linear address: 48 of four-level paging, 57 of five-level and where every address is allowed.</summary>
    int LinearAddressBits { get; }

    /// <summary>Translates a linear address (its bits 56:0, or as many as the paging mode has) for an access that needs the given rights.</summary>
    Translation Translate(ulong address, AccessRights needed);

    /// <summary>
    /// Forgets what caches hold. A flush of whole contexts has changed their numbers already; <paramref name="context"/> is the number
    /// of the context that the invalidation of an address names. Returns whether everything must be forgotten, beyond what was asked.
    /// </summary>
    bool Invalidate(in TlbInvalidation invalidation, uint context);

    /// <summary>Forgets every entry of the paging-structure caches: context numbers are started over.</summary>
    void ClearTables();
}
