namespace MemVirt.Core.MemoryTypes;

/// <summary>
/// Memory types under AMD nested paging (APM Vol. 2 §15.25.8): the guest's PAT type and the host's combine by table 15-19, the
/// outcome and the MTRRs of the system-physical address by table 15-20. Pure; no call allocates.
/// </summary>
public static class NestedMemoryType
{
    private const byte Uc = (byte)MemoryType.Uncacheable;
    private const byte Wc = (byte)MemoryType.WriteCombining;
    private const byte Wt = (byte)MemoryType.WriteThrough;
    private const byte Wp = (byte)MemoryType.WriteProtected;
    private const byte Wb = (byte)MemoryType.WriteBack;
    private const byte UcMinus = (byte)MemoryType.UncacheableMinus;
    private const byte WcPlus = (byte)MemoryType.WriteCombiningPlus;
    private const byte No = 0xFF;

    // Rows: the guest's type by its encoding. Columns: the host's, UC WC - - WT WP WB UC-.
    private static ReadOnlySpan<byte> Table =>
    [
        Uc, Uc, No, No, Uc, Uc, Uc, Uc, // UC
        Wc, Wc, No, No, WcPlus, WcPlus, WcPlus, Wc, // WC
        No, No, No, No, No, No, No, No,
        No, No, No, No, No, No, No, No,
        Uc, Uc, No, No, Wt, Uc, Wt, Uc, // WT
        Uc, Uc, No, No, Uc, Wp, Wp, Uc, // WP
        Uc, Wc, No, No, Wt, Wp, Wb, UcMinus, // WB
        Uc, Wc, No, No, Uc, Uc, Uc, UcMinus, // UC-
    ];

    /// <summary>Table 15-19: the type of two stages of pages.</summary>
    public static MemoryType Combine(MemoryType guest, MemoryType host) => (MemoryType)Table[((int)guest * 8) + (int)host];

    /// <summary>
    /// The type of an access: table 15-19, then table 15-20. Where the guest's or the host's CR0.CD is set, cacheable types give
    /// way to CD.
    /// </summary>
    /// <param name="guest">The guest's PAT type (gPAT); WB where its CR0.PG is clear.</param>
    /// <param name="host">The nested leaf's PAT type (the host's IA32_PAT).</param>
    /// <param name="memory">The MTRRs' type of the system-physical address.</param>
    /// <param name="cacheDisable">The guest's CR0.CD or the host's.</param>
    public static MemoryType Effective(MemoryType guest, MemoryType host, MemoryType memory, bool cacheDisable)
    {
        MemoryType type = EffectiveMemoryType.Amd(Combine(guest, host), memory);
        return cacheDisable ? WithCachesOff(type) : type;
    }

    /// <summary>
    /// What CR0.CD makes of a type: WT, WP and WB become CD; what is not cached stays as it is (APM §7.4, §7.6.2).
    /// </summary>
    public static MemoryType WithCachesOff(MemoryType type)
        => type is MemoryType.WriteThrough or MemoryType.WriteProtected or MemoryType.WriteBack ? MemoryType.CacheDisabled : type;
}
