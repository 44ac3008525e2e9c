namespace MemVirt.Core.MemoryTypes;

/// <summary>Memory types under EPT (Intel SDM Vol. 3C §28.3.7). MTRRs have no part in them. Pure; no call allocates.</summary>
public static class EptMemoryType
{
    private const int TypeShift = 3;
    private const ulong IgnorePatBit = 1UL << 6;

    /// <summary>Bits 5:3 of a leaf: the EPT memory type, which <see cref="IsMisconfigured"/> may refuse.</summary>
    public static MemoryType TypeOf(ulong leaf) => (MemoryType)(leaf >> TypeShift & 7);

    /// <summary>IPAT, bit 6 of a leaf: the guest's PAT counts for nothing.</summary>
    public static bool IgnoresPat(ulong leaf) => (leaf & IgnorePatBit) != 0;

    /// <summary>Whether a leaf's type is reserved, 2, 3 or 7: an EPT misconfiguration (§28.3.3.1).</summary>
    public static bool IsMisconfigured(ulong leaf) => !MemoryTypeEncodings.IsRangeType((byte)TypeOf(leaf));

    /// <summary>
    /// The type of an access through a guest-physical address (§28.3.7.2). CR0.CD: UC. IPAT: the leaf's. Else table 11-7 with the
    /// leaf's type in the MTRRs' place.
    /// </summary>
    /// <param name="page">The PAT type: WB where the guest's CR0.PG is clear.</param>
    /// <param name="leaf">The last EPT entry, which is not misconfigured.</param>
    /// <param name="cacheDisable">CR0.CD as it is in VMX non-root operation.</param>
    public static MemoryType Effective(MemoryType page, ulong leaf, bool cacheDisable)
        => cacheDisable ? MemoryType.Uncacheable
            : IgnoresPat(leaf) ? TypeOf(leaf)
            : EffectiveMemoryType.Intel(page, TypeOf(leaf));

    /// <summary>Whether VM entry takes an EPTP's bits 2:0: UC or WB (§24.6.11, §26.2.1.1).</summary>
    public static bool IsValidForTables(ulong eptPointer)
        => (MemoryType)(eptPointer & 7) is MemoryType.Uncacheable or MemoryType.WriteBack;

    /// <summary>The type of accesses to the EPT tables themselves: the EPTP's bits 2:0, or UC with CR0.CD (§28.3.7.1).</summary>
    public static MemoryType OfTables(ulong eptPointer, bool cacheDisable)
        => cacheDisable ? MemoryType.Uncacheable : (MemoryType)(eptPointer & 7);
}
