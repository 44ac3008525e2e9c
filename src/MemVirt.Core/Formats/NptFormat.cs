using MemVirt.Core.Access;

namespace MemVirt.Core.Formats;

/// <summary>
/// AMD nested page tables: the entries of four-level paging; the nested walk treats every access as a user access and a
/// guest-table access as a write (AMD APM Vol. 2 §15.25).
/// </summary>
public readonly struct NptFormat : IPageTableFormat
{
    /// <inheritdoc/>
    public static int Levels => X64FourLevel.Levels;

    /// <inheritdoc/>
    public static ulong AccessedBit => X64FourLevel.AccessedBit;

    /// <inheritdoc/>
    public static ulong DirtyBit => X64FourLevel.DirtyBit;

    /// <inheritdoc/>
    public static EntryRules DefaultRules { get; } = RulesFor(NptSettings.Default);

    /// <inheritdoc/>
    public static bool IsPresent(ulong entry) => X64FourLevel.IsPresent(entry);

    /// <inheritdoc/>
    public static bool IsLeaf(ulong entry, int level) => X64FourLevel.IsLeaf(entry, level);

    /// <inheritdoc/>
    public static AccessRights Rights(ulong entry) => X64FourLevel.Rights(entry);

    /// <inheritdoc/>
    public static ulong WithholdingBits => X64FourLevel.WithholdingBits;

    /// <inheritdoc/>
    public static AccessRights LeafRights(ulong entry) => RightsOf(ulong.MaxValue, entry);

    /// <inheritdoc/>
    public static AccessRights RightsOf(ulong granted, ulong leaf)
    {
        ulong all = granted & (leaf ^ WithholdingBits);
        return AccessRights.Read | (AccessRights)((all & X64FourLevel.Writable) | (all >> 63 << 2) | ((all & X64FourLevel.UserMode) << 1));
    }

    /// <inheritdoc/>
    public static ulong TableEntry(ulong tableAddress) => X64FourLevel.TableEntry(tableAddress);

    /// <inheritdoc/>
    public static ulong LeafEntry(ulong pageAddress, int level, AccessRights rights, bool dirty)
        => X64FourLevel.LeafEntry(pageAddress, level, rights, dirty);

    /// <summary>What a processor with these settings makes of nested entries: those of its own paging (AMD APM Vol. 2 §15.25.3).</summary>
    public static EntryRules RulesFor(NptSettings settings) => X64FourLevel.RulesFor(settings.Host, settings.NoExecute);
}
