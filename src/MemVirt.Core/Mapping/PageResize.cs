using MemVirt.Core.Formats;

namespace MemVirt.Core.Mapping;

/// <summary>A large page into the pieces that a table of the level below maps, and those into the large page.</summary>
internal static class PageResize<TFormat, TSpace>
    where TFormat : struct, IPageTableFormat
    where TSpace : struct, ITableSpace
{
    private static readonly int Pieces = SpaceEntry<TFormat, TSpace>.CountOfTable;

    private static readonly ulong Usage = TFormat.AccessedBit | TFormat.DirtyBit;

    /// <summary>
    /// Puts a table of leaves, each with the large one's rights, accessed, dirty and other bits, in its place. The table is
    /// complete before it is linked; where a processor set a bit of the large leaf meanwhile, it is made again.
    /// </summary>
    internal static void Split(ref TSpace space, ulong entryAddress, int level, ref EditJournal journal)
    {
        ulong table = space.AllocateTable();
        ulong link = LeafBits<TFormat>.Link(table);
        ulong leaf;
        do
        {
            leaf = SpaceEntry<TFormat, TSpace>.Read(ref space, entryAddress);
            for (int index = 0; index < Pieces; index++)
            {
                ulong piece = LeafBits<TFormat>.Piece(leaf, level, OffsetOf(index, level - 1));
                SpaceEntry<TFormat, TSpace>.Write(ref space, EntryOf(table, index), piece, level - 1);
            }
        }
        while (!SpaceEntry<TFormat, TSpace>.TryReplace(ref space, entryAddress, leaf, link, level));
        journal.Resized();
    }

    /// <summary>Whether the leaves of a table of a level are those of one larger page.</summary>
    internal static bool CanMerge(ref TSpace space, ulong table, int level)
    {
        ulong first = SpaceEntry<TFormat, TSpace>.Read(ref space, table);
        if (!TFormat.IsPresent(first) || !TFormat.IsLeaf(first, level) || !LeafBits<TFormat>.TryWhole(first, level, out _))
        {
            return false;
        }

        for (int index = 1; index < Pieces; index++)
        {
            ulong piece = SpaceEntry<TFormat, TSpace>.Read(ref space, EntryOf(table, index));
            if (((piece ^ (first + OffsetOf(index, level))) & ~Usage) != 0)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Puts the large leaf in a table's place, accessed and dirty where any piece was. Each piece is first replaced by zero, so
    /// that no processor can set a dirty bit of it after it has been looked at: one that walks the table meanwhile, or
    /// through a paging-structure cache afterwards, finds nothing present, faults, and finds the large page when it tries again.
    /// </summary>
    internal static void Merge(ref TSpace space, EntryPosition parent, ulong table, ref EditJournal journal)
    {
        int level = parent.Level - 1;
        ulong first = SpaceEntry<TFormat, TSpace>.Read(ref space, table);
        bool isWhole = LeafBits<TFormat>.TryWhole(first & ~Usage, level, out ulong leaf);
        System.Diagnostics.Debug.Assert(isWhole, "CanMerge was asked.");
        for (int index = 0; index < Pieces; index++)
        {
            leaf |= SpaceEntry<TFormat, TSpace>.Exchange(ref space, EntryOf(table, index), 0, level) & Usage;
        }

        SpaceEntry<TFormat, TSpace>.Exchange(ref space, parent.EntryAddress, leaf, parent.Level);
        journal.Removed(ref space, table, level);
    }

    private static ulong EntryOf(ulong table, int index) => SpaceEntry<TFormat, TSpace>.AddressOf(table, index);

    private static ulong OffsetOf(int index, int level) => (ulong)index << TFormat.ShiftOf(level);
}
