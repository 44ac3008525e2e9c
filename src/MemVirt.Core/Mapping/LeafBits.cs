using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;

namespace MemVirt.Core.Mapping;

/// <summary>
/// Leaf entries changed in part, in any format: which bits grant rights is read off the format's own entries, and every other bit
/// stays as it is (accessed, dirty, memory type, protection key, ignored).
/// </summary>
internal static class LeafBits<TFormat>
    where TFormat : struct, IPageTableFormat
{
    /// <summary>
    /// Bit 12 of a large leaf, where PAT moves to because bit 7 says "large" (Intel SDM Vol. 3A tables 4-17, 4-18). An EPT leaf has
    /// its memory type in bits 5:3 whatever its size, and ignores bit 7 of a 4K one (Vol. 3C tables 28-3, 28-5, 28-7).
    /// </summary>
    private static readonly ulong LargeAttributeBit = typeof(TFormat) == typeof(EptFormat) ? 0 : 1UL << 12;

    private static readonly ulong PageSizeBit
        = TFormat.LeafEntry(0, 1, AccessRights.None, false) ^ TFormat.LeafEntry(0, 0, AccessRights.None, false);

    /// <summary>Whether a leaf can grant these rights and be present and valid.</summary>
    internal static bool CanGrant(AccessRights rights)
        => (rights & (AccessRights.Read | AccessRights.Write)) != AccessRights.Write
           && TFormat.IsPresent(TFormat.LeafEntry(0, 0, rights, false));

    /// <summary>The leaf with other rights.</summary>
    internal static ulong WithRights(ulong leaf, int level, AccessRights rights)
    {
        ulong mask = TFormat.LeafEntry(0, level, AccessRights.None, false) ^ TFormat.LeafEntry(0, level, AccessRights.All, false);
        return (leaf & ~mask) | (TFormat.LeafEntry(0, level, rights, false) & mask);
    }

    /// <summary>The leaf, one level below, of a piece of the page that a leaf of a level maps.</summary>
    internal static ulong Piece(ulong leaf, int level, int index)
    {
        ulong attribute = leaf & LargeAttributeBit;
        ulong page = TableGeometry.PageAddress(leaf, level) + ((ulong)index << TableGeometry.ShiftOf(level - 1));
        ulong flags = leaf & ~AddressBits.Frame;
        return level > 1
            ? page | flags | attribute
            : page | (flags & ~PageSizeBit) | (attribute != 0 ? PageSizeBit : 0);
    }

    /// <summary>
    /// The leaf of the page whose first piece is mapped by a leaf of a level; false where it cannot be: the page is not aligned, or
    /// a bit of the piece has no place in a larger leaf.
    /// </summary>
    internal static bool TryWhole(ulong piece, int level, out ulong leaf)
    {
        ulong page = TableGeometry.PageAddress(piece, level);
        ulong flags = piece & ~AddressBits.Frame;
        ulong attribute = level > 0 ? piece & LargeAttributeBit : (piece & PageSizeBit) != 0 ? LargeAttributeBit : 0;
        leaf = page | flags | PageSizeBit | attribute;
        bool attributeLost = level == 0 && (piece & PageSizeBit) != 0 && attribute == 0;
        return !attributeLost && (page & ((1UL << TableGeometry.ShiftOf(level + 1)) - 1)) == 0;
    }
}
