using MemVirt.Core.Access;

namespace MemVirt.Core.Formats;

/// <summary>
/// Intel extended page tables of four levels (Intel SDM Vol. 3C §28.3.2, tables 28-1 to 28-7). An entry is present when any of
/// read, write and execute is set.
/// </summary>
public readonly struct EptFormat : IPageTableFormat
{
    internal const ulong SuppressVirtualizationException = 1UL << 63;
    internal const ulong SubPageWrite = 1UL << 61;
    internal const ulong IgnorePat = 1UL << 6;
    internal const int MemoryTypeShift = 3;
    private const ulong Read = 1UL << 0;
    private const ulong Write = 1UL << 1;
    private const ulong Execute = 1UL << 2;
    private const ulong MemoryTypeWriteBack = 6UL << MemoryTypeShift;
    private const ulong PageSizeBit = 1UL << 7;
    private const ulong Accessed = 1UL << 8;
    private const ulong Dirty = 1UL << 9;
    private const ulong UserExecute = 1UL << 10;

    // Bit n of the first is set for n = W without R, of the second for n = X without R; n is the low three bits of an entry.
    private const ulong WriteOnly = 0x4444_4444_4444_4444;
    private const ulong ExecuteOnly = 0x1010_1010_1010_1010;

    // Memory types 2, 3 and 7 in bits 5:3.
    private const ulong BadMemoryTypes = 0xFF00_0000_FFFF_0000;

    /// <inheritdoc/>
    public static int Levels => 4;

    /// <inheritdoc/>
    public static ulong AccessedBit => Accessed;

    /// <inheritdoc/>
    public static ulong DirtyBit => Dirty;

    /// <inheritdoc/>
    public static bool IsExtendedPageTable => true;

    /// <inheritdoc/>
    public static EntryRules DefaultRules { get; } = RulesFor(EptSettings.Default);

    /// <inheritdoc/>
    public static bool IsPresent(ulong entry) => (entry & (Read | Write | Execute)) != 0;

    /// <inheritdoc/>
    public static bool IsLeaf(ulong entry, int level) => level == 0 || ((entry & PageSizeBit) != 0 && level < 3);

    /// <inheritdoc/>
    public static AccessRights Rights(ulong entry)
        => (AccessRights)(entry & (Read | Write | Execute)) | AccessRights.User | AccessRights.ShadowStack
           | (AccessRights)((entry & UserExecute) >> 5);

    /// <inheritdoc/>
    public static AccessRights LeafRights(ulong entry) => Rights(entry);

    /// <inheritdoc/>
    public static AccessRights RightsOf(ulong granted, ulong leaf) => Rights(granted & leaf);

    /// <inheritdoc/>
    public static ulong TableEntry(ulong tableAddress) => tableAddress | Read | Write | Execute | Accessed;

    /// <inheritdoc/>
    public static ulong LeafEntry(ulong pageAddress, int level, AccessRights rights, bool dirty)
        => pageAddress | MemoryTypeWriteBack | Accessed
           | ((ulong)rights & (Read | Write | Execute))
           | ((rights & AccessRights.UserExecute) != 0 ? UserExecute : 0)
           | (dirty ? Dirty : 0)
           | (level > 0 ? PageSizeBit : 0);

    /// <summary>What a processor with these settings makes of EPT entries (Intel SDM Vol. 3C §28.3.3.1).</summary>
    public static EntryRules RulesFor(EptSettings settings)
    {
        ulong always = EntryRules.Bits(settings.PhysicalAddressBits, 52);
        ulong executable = Execute | (settings.ModeBasedExecute ? UserExecute : 0);
        ulong forbidden = WriteOnly | (settings.ExecuteOnlyPages ? 0 : ExecuteOnly);
        var rules = new EntryRules
        {
            PresentBits = Read | Write | executable,
            AccessedBit = settings.AccessedAndDirty ? Accessed : 0,
            DirtyBit = settings.AccessedAndDirty ? Dirty : 0,
            ForbiddenInTable = forbidden,
            ForbiddenInLeaf = forbidden | BadMemoryTypes,
            NeedsRead = settings.ModeBasedExecute && !settings.ExecuteOnlyPages ? UserExecute : 0,
        };
        rules.SetReserved(0, always, always);
        rules.SetReserved(1, always | EntryRules.Bits(3, 7), always | EntryRules.Bits(12, 21) | (settings.Pages2M ? 0 : PageSizeBit));
        rules.SetReserved(2, always | EntryRules.Bits(3, 7), always | EntryRules.Bits(12, 30) | (settings.Pages1G ? 0 : PageSizeBit));
        rules.SetReserved(3, always | EntryRules.Bits(3, 8), always | EntryRules.Bits(3, 8));
        rules.SetReserved(4, always | EntryRules.Bits(3, 8), always | EntryRules.Bits(3, 8));
        rules.Complete();
        return rules;
    }
}
