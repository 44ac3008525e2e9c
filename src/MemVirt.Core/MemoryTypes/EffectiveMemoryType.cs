using MemVirt.Core.Registers;

namespace MemVirt.Core.MemoryTypes;

/// <summary>
/// The memory type that an access uses, from the page's type (PAT) and the memory's (MTRR). Intel SDM Vol. 3A table 11-7, AMD APM
/// Vol. 2 §7.8, table 7-11. Pure; no call allocates.
/// </summary>
public static class EffectiveMemoryType
{
    private const byte Uc = (byte)MemoryType.Uncacheable;
    private const byte Wc = (byte)MemoryType.WriteCombining;
    private const byte Wt = (byte)MemoryType.WriteThrough;
    private const byte Wp = (byte)MemoryType.WriteProtected;
    private const byte Wb = (byte)MemoryType.WriteBack;
    private const byte Cd = (byte)MemoryType.CacheDisabled;
    private const byte WcPlus = (byte)MemoryType.WriteCombiningPlus;
    private const byte No = 0xFF;

    // Rows: MTRR type by its encoding. Columns: PAT type by its encoding, UC WC - - WT WP WB UC-.
    private static ReadOnlySpan<byte> IntelTable =>
    [
        Uc, Wc, No, No, Uc, Uc, Uc, Uc, // UC
        Uc, Wc, No, No, Uc, Uc, Wc, Wc, // WC
        No, No, No, No, No, No, No, No,
        No, No, No, No, No, No, No, No,
        Uc, Wc, No, No, Wt, Wp, Wt, Uc, // WT
        Uc, Wc, No, No, Wt, Wp, Wp, Wc, // WP
        Uc, Wc, No, No, Wt, Wp, Wb, Uc, // WB
    ];

    // The same with two more columns, of which the last is WC+: UC WC - - WT WP WB UC- - WC+.
    private static ReadOnlySpan<byte> AmdTable =>
    [
        Uc, Wc, No, No, Uc, Uc, Uc, Uc, No, Wc, // UC
        Cd, Wc, No, No, Cd, Cd, Wc, Wc, No, Wc, // WC
        No, No, No, No, No, No, No, No, No, No,
        No, No, No, No, No, No, No, No, No, No,
        Cd, Wc, No, No, Wt, Cd, Wt, Cd, No, WcPlus, // WT
        Cd, Wc, No, No, Cd, Wp, Wp, Cd, No, WcPlus, // WP
        Cd, Wc, No, No, Wt, Wp, Wb, Cd, No, WcPlus, // WB
    ];

    /// <summary>
    /// Intel SDM Vol. 3A table 11-7: a page of type <paramref name="page"/> over memory of type <paramref name="memory"/>, with
    /// CR0.CD clear. Without paging the page's type is WB, which leaves the memory's.
    /// </summary>
    public static MemoryType Intel(MemoryType page, MemoryType memory) => (MemoryType)IntelTable[((int)memory * 8) + (int)page];

    /// <summary>
    /// AMD APM Vol. 2 table 7-11, and table 15-20 where <paramref name="page"/> is what two stages combine to, WC+ included.
    /// </summary>
    public static MemoryType Amd(MemoryType page, MemoryType memory) => (MemoryType)AmdTable[((int)memory * 10) + (int)page];

    /// <summary>
    /// Either of them, and CR0.CD: with it set Intel's type is UC (SDM §11.5.3, §28.3.7.2), AMD's that of
    /// <see cref="NestedMemoryType.WithCachesOff"/>.
    /// </summary>
    public static MemoryType Of(ProcessorVendor vendor, MemoryType page, MemoryType memory, bool cacheDisable)
        => vendor == ProcessorVendor.Intel
            ? cacheDisable ? MemoryType.Uncacheable : Intel(page, memory)
            : cacheDisable ? NestedMemoryType.WithCachesOff(Amd(page, memory)) : Amd(page, memory);
}
