using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;

namespace MemVirt.Core.Mapping;

/// <summary>
/// Leaf entries changed in part, in any format: which bits grant rights or hold the address is read off the format's own entries,
/// and every other bit stays as it is (accessed, dirty, memory type, protection key, ignored).
/// </summary>
internal static class LeafBits<TFormat>
    where TFormat : struct, IPageTableFormat
{
    /// <summary>
    /// Bit 12 of a large leaf, where PAT moves to because bit 7 says "large" (Intel SDM Vol. 3A tables 4-17, 4-18). An EPT leaf
    /// has
    /// its memory type in bits 5:3 whatever its size, and ignores bit 7 of a 4K one (Vol. 3C tables 28-3, 28-5, 28-7).
    /// </summary>
    private static ulong LargeAttributeBit => TFormat.IsExtendedPageTable ? 0 : 1UL << 12;

    private static ulong PageSizeBit => Empty(1) ^ Empty(0);

    /// <summary>The bit that lets a leaf of any level be written.</summary>
    internal static ulong WriteBit
        => TFormat.LeafEntry(0, 0, AccessRights.Read | AccessRights.Write, false)
           ^ TFormat.LeafEntry(0, 0, AccessRights.Read, false);

    /// <summary>Whether a leaf can grant these rights and be present and valid.</summary>
    internal static bool CanGrant(AccessRights rights)
        => (rights & (AccessRights.Read | AccessRights.Write)) != AccessRights.Write
           && TFormat.IsPresent(TFormat.LeafEntry(0, 0, rights, false));

    /// <summary>Whether a leaf of a level can hold a page's address.</summary>
    internal static bool CanHold(ulong page, int level) => TFormat.PageAddress(AddressField(page, level), level) == page;

    /// <summary>The leaf with other rights.</summary>
    internal static ulong WithRights(ulong leaf, int level, AccessRights rights)
    {
        ulong mask = Empty(level) ^ TFormat.LeafEntry(0, level, AccessRights.Unrestricted, false);
        return (leaf & ~mask) | (TFormat.LeafEntry(0, level, rights, false) & mask);
    }

    /// <summary>
    /// The leaf, one level below, of the piece at <paramref name="offset"/> of the page that a leaf of a level maps.
    /// </summary>
    internal static ulong Piece(ulong leaf, int level, ulong offset)
    {
        ulong attribute = leaf & LargeAttributeBit;
        ulong flags = leaf & ~AddressBits.Frame;
        ulong address = AddressField(TFormat.PageAddress(leaf, level) + offset, level - 1);
        return level > 1
            ? address | flags | attribute
            : address | (flags & ~PageSizeBit) | (attribute != 0 ? PageSizeBit : 0);
    }

    /// <summary>
    /// The leaf of the page whose first piece is mapped by a leaf of a level; false where it cannot be: the page is not aligned,
    /// or
    /// a bit of the piece has no place in a larger leaf.
    /// </summary>
    internal static bool TryWhole(ulong piece, int level, out ulong leaf)
    {
        ulong page = TFormat.PageAddress(piece, level);
        ulong flags = piece & ~AddressBits.Frame;
        ulong attribute = level > 0 ? piece & LargeAttributeBit : (piece & PageSizeBit) != 0 ? LargeAttributeBit : 0;
        leaf = AddressField(page, level + 1) | flags | PageSizeBit | attribute;
        bool attributeLost = level == 0 && (piece & PageSizeBit) != 0 && attribute == 0;
        return !attributeLost && (page & ((1UL << TFormat.ShiftOf(level + 1)) - 1)) == 0;
    }

    /// <summary>
    /// An entry that refers to a table and takes no right away; in EPT that includes the execute right of user-mode addresses, a
    /// bit that is ignored where execution does not depend on the mode (Intel SDM Vol. 3C table 28-6).
    /// </summary>
    internal static ulong Link(ulong table)
        => TFormat.TableEntry(table) | (TFormat.LeafEntry(0, 0, AccessRights.UserExecute, false) ^ Empty(0));

    private static ulong AddressField(ulong page, int level)
        => TFormat.LeafEntry(page, level, AccessRights.None, false) & ~Empty(level);

    private static ulong Empty(int level) => TFormat.LeafEntry(0, level, AccessRights.None, false);
}
