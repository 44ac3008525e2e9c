namespace MemVirt.Core.MemoryTypes;

/// <summary>
/// How memory is cached (Intel SDM Vol. 3A §11.3, table 11-2; AMD APM Vol. 2 §7.4). Values below 8 are the encodings of the PAT,
/// of MTRRs and of EPT entries; 2 and 3 are reserved. The values from 8 on are outcomes only, never encodings.
/// </summary>
public enum MemoryType : byte
{
    /// <summary>UC: neither cached nor speculated on, strongly ordered.</summary>
    Uncacheable = 0,

    /// <summary>WC: not cached; writes are combined in buffers.</summary>
    WriteCombining = 1,

    /// <summary>WT: cached for reads; writes go through.</summary>
    WriteThrough = 4,

    /// <summary>WP: cached for reads; a write takes the line out of every cache.</summary>
    WriteProtected = 5,

    /// <summary>WB: cached for reads and writes.</summary>
    WriteBack = 6,

    /// <summary>UC-: as UC, but WC in an MTRR wins over it. A type of the PAT only.</summary>
    UncacheableMinus = 7,

    /// <summary>
    /// CD, AMD: as UC, but caches are probed, because a line may have been cached under another type (APM §7.4).
    /// </summary>
    CacheDisabled = 8,

    /// <summary>
    /// WC+, AMD: as WC, but caches are probed. Comes of a guest's WC over a host's cacheable type (APM §7.4, §15.25.8).
    /// </summary>
    WriteCombiningPlus = 9,
}
