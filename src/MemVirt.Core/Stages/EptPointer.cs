using MemVirt.Core.Addresses;

namespace MemVirt.Core.Stages;

/// <summary>
/// An EPT pointer (Intel SDM Vol. 3C §24.6.11, table 24-8): bits 2:0 the memory type of the tables, 5:3 the levels less one, 6 accessed
/// and dirty flags, 7 supervisor shadow stacks, 51:12 the root table.
/// </summary>
/// <param name="Value">The 64 bits.</param>
public readonly record struct EptPointer(ulong Value)
{
    private const ulong AccessedDirtyBit = 1UL << 6;
    private const ulong Uncacheable = 0;
    private const ulong WriteBack = 6;
    private const ulong Reserved = 0xF80UL | (0xFFFUL << 52);

    /// <summary>The host-physical address of the root table.</summary>
    public ulong Root => Value & AddressBits.Frame;

    /// <summary>Levels of the tables: 4 or 5.</summary>
    public int Levels => (int)((Value >> 3) & 7) + 1;

    /// <summary>Whether accessed and dirty flags are in use.</summary>
    public bool AccessedAndDirty => (Value & AccessedDirtyBit) != 0;

    /// <summary>The pointer to write-back tables.</summary>
    /// <param name="root">The root table, aligned to 4 KiB.</param>
    /// <param name="levels">4 or 5.</param>
    /// <param name="accessedAndDirty">Bit 6.</param>
    public static EptPointer Create(ulong root, int levels = 4, bool accessedAndDirty = true)
        => new(root | WriteBack | ((ulong)(levels - 1) << 3) | (accessedAndDirty ? AccessedDirtyBit : 0));

    /// <summary>
    /// Whether VM entry and VMFUNC accept it on a processor (Intel SDM Vol. 3C §26.2.1.1): type UC or WB, a supported number of
    /// levels, reserved bits clear.
    /// </summary>
    /// <param name="physicalAddressBits">MAXPHYADDR.</param>
    /// <param name="fiveLevels">Whether a page-walk length of 5 is supported.</param>
    public bool IsValid(int physicalAddressBits, bool fiveLevels)
        => (Value & 7) is Uncacheable or WriteBack
           && (Levels == 4 || (Levels == 5 && fiveLevels))
           && (Value & Reserved) == 0
           && Root >> physicalAddressBits == 0;
}
