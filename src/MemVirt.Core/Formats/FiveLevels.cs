using MemVirt.Core.Access;

namespace MemVirt.Core.Formats;

/// <summary>
/// A format of four levels with a fifth above it, whose entries are those of the fourth: LA57 paging (Intel SDM Vol. 3A §4.5),
/// five-level EPT (Vol. 3C §28.3.2) and nested paging with hCR4.LA57.
/// </summary>
public readonly struct FiveLevels<TFormat> : IPageTableFormat
    where TFormat : struct, IPageTableFormat
{
    /// <inheritdoc/>
    public static int Levels => TFormat.Levels + 1;

    /// <inheritdoc/>
    public static ulong AccessedBit => TFormat.AccessedBit;

    /// <inheritdoc/>
    public static ulong DirtyBit => TFormat.DirtyBit;

    /// <inheritdoc/>
    public static bool IsExtendedPageTable => TFormat.IsExtendedPageTable;

    /// <inheritdoc/>
    public static EntryRules DefaultRules => TFormat.DefaultRules;

    /// <inheritdoc/>
    public static bool IsPresent(ulong entry) => TFormat.IsPresent(entry);

    /// <inheritdoc/>
    public static bool IsLeaf(ulong entry, int level) => TFormat.IsLeaf(entry, level);

    /// <inheritdoc/>
    public static AccessRights Rights(ulong entry) => TFormat.Rights(entry);

    /// <inheritdoc/>
    public static ulong WithholdingBits => TFormat.WithholdingBits;

    /// <inheritdoc/>
    public static AccessRights LeafRights(ulong entry) => TFormat.LeafRights(entry);

    /// <inheritdoc/>
    public static AccessRights RightsOf(ulong granted, ulong leaf) => TFormat.RightsOf(granted, leaf);

    /// <inheritdoc/>
    public static ulong TableEntry(ulong tableAddress) => TFormat.TableEntry(tableAddress);

    /// <inheritdoc/>
    public static ulong LeafEntry(ulong pageAddress, int level, AccessRights rights, bool dirty)
        => TFormat.LeafEntry(pageAddress, level, rights, dirty);
}
