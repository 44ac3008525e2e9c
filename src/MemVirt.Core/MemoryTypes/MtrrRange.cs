namespace MemVirt.Core.MemoryTypes;

/// <summary>A variable-range MTRR, both of its halves (Intel SDM Vol. 3A §11.11.2.3, figure 11-7).</summary>
/// <param name="Base">IA32_MTRR_PHYSBASEn: the type in bits 7:0, the base from bit 12 up.</param>
/// <param name="Mask">IA32_MTRR_PHYSMASKn: valid in bit 11, the mask from bit 12 up.</param>
public readonly record struct MtrrRange(ulong Base, ulong Mask)
{
    private const ulong ValidBit = 1UL << 11;
    private const ulong PageMask = ~0xFFFUL;

    /// <summary>Whether the range counts.</summary>
    public bool IsValid => (Mask & ValidBit) != 0;

    /// <summary>The type of its memory.</summary>
    public MemoryType Type => (MemoryType)(Base & 0xFF);

    /// <summary>A valid range of a power-of-two size on a multiple of it, in bytes, for a width of physical addresses.</summary>
    public static MtrrRange Of(ulong start, ulong lengthBytes, MemoryType type, int physicalAddressBits)
        => new(start | (ulong)type, (~(lengthBytes - 1) & ((1UL << physicalAddressBits) - 1)) | ValidBit);

    /// <summary>
    /// Whether WRMSR takes both halves: no reserved bit, no reserved type (§11.11.2.3); otherwise it is #GP(0).
    /// </summary>
    public bool IsWritable(int physicalAddressBits)
    {
        ulong wide = ulong.MaxValue << physicalAddressBits;
        return (Base & (0xF00 | wide)) == 0 && (Mask & (0x7FF | wide)) == 0 && MemoryTypeEncodings.IsRangeType((byte)Base);
    }

    /// <summary>Whether it covers a physical address: the address and the base agree wherever the mask is 1 (§11.11.3).</summary>
    public bool Covers(ulong address) => IsValid && ((address ^ Base) & Mask & PageMask) == 0;

    /// <summary>
    /// The lowest address above the one given where membership may change, or <see cref="ulong.MaxValue"/>: every multiple of the
    /// mask's lowest bit, or the two ends where the mask has no hole.
    /// </summary>
    /// <param name="address">A physical address.</param>
    /// <param name="physicalAddressBits">MAXPHYADDR.</param>
    public ulong NextEdge(ulong address, int physicalAddressBits)
    {
        ulong mask = Mask & PageMask;
        if (!IsValid || mask == 0)
        {
            return ulong.MaxValue;
        }

        ulong granule = mask & (~mask + 1);
        bool hasNoHole = mask + granule == 1UL << physicalAddressBits;
        ulong start = Base & mask;
        if (!hasNoHole)
        {
            return (address & ~(granule - 1)) + granule;
        }

        return address < start ? start : address < start + granule ? start + granule : ulong.MaxValue;
    }
}
