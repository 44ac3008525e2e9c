namespace MemVirt.Core.MemoryTypes;

/// <summary>
/// Where an address below 1 MiB lies among the 88 fields of the fixed-range MTRRs (Intel SDM Vol. 3A §11.11.2.2, table 11-9).
/// </summary>
public static class MtrrFixedRanges
{
    /// <summary>
    /// MSRs: IA32_MTRR_FIX64K_00000 (250H), FIX16K_80000 and A0000 (258H, 259H), FIX4K_C0000 to F8000 (268H to 26FH), in this
    /// order.
    /// </summary>
    public const int RegisterCount = 11;

    /// <summary>Bytes that the fixed ranges cover: 1 MiB.</summary>
    public const ulong Limit = 1UL << 20;

    /// <summary>The field of an address below <see cref="Limit"/>: register times 8 plus byte.</summary>
    public static int FieldOf(ulong address) => address switch
    {
        < 0x8_0000 => (int)(address >> 16),
        < 0xC_0000 => 8 + (int)((address - 0x8_0000) >> 14),
        _ => 24 + (int)((address - 0xC_0000) >> 12),
    };

    /// <summary>The first address after the field that an address below <see cref="Limit"/> is in.</summary>
    public static ulong EndOfField(ulong address)
    {
        int sizeLog2 = address switch { < 0x8_0000 => 16, < 0xC_0000 => 14, _ => 12 };
        return ((address >> sizeLog2) + 1) << sizeLog2;
    }
}
