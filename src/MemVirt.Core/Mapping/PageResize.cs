using MemVirt.Core.Formats;

namespace MemVirt.Core.Mapping;

/// <summary>A large page into its 512 pieces, and 512 pieces into the large page.</summary>
internal static class PageResize<TFormat, TSpace>
    where TFormat : struct, IPageTableFormat
    where TSpace : struct, ITableSpace
{
    private const int Pieces = TableGeometry.EntriesPerTable;

    private static readonly ulong Usage = TFormat.AccessedBit | TFormat.DirtyBit;

    /// <summary>
    /// Puts a table of 512 leaves, each with the large one's rights, accessed, dirty and other bits, in its place. The table is
    /// complete before it is linked; where a processor set a bit of the large leaf meanwhile, it is made again.
    /// </summary>
    internal static void Split(ref TSpace space, ulong entryAddress, int level, ref EditJournal journal)
    {
        ulong table = space.AllocateTable();
        ulong leaf;
        do
        {
            leaf = space.Read(entryAddress);
            for (int index = 0; index < Pieces; index++)
            {
                space.Write(AddressOf(table, index), LeafBits<TFormat>.Piece(leaf, level, index), level - 1);
            }
        }
        while (!space.TryReplace(entryAddress, leaf, TFormat.TableEntry(table), level));
        journal.Resized();
    }

    /// <summary>Whether the leaves of a table of a level are those of one larger page.</summary>
    internal static bool CanMerge(ref TSpace space, ulong table, int level)
    {
        ulong first = space.Read(table);
        if (!TFormat.IsPresent(first) || !TFormat.IsLeaf(first, level) || !LeafBits<TFormat>.TryWhole(first, level, out _))
        {
            return false;
        }

        for (int index = 1; index < Pieces; index++)
        {
            ulong expected = first + ((ulong)index << TableGeometry.ShiftOf(level));
            if (((space.Read(AddressOf(table, index)) ^ expected) & ~Usage) != 0)
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
        bool isWhole = LeafBits<TFormat>.TryWhole(space.Read(table) & ~Usage, level, out ulong leaf);
        System.Diagnostics.Debug.Assert(isWhole, "CanMerge was asked.");
        for (int index = 0; index < Pieces; index++)
        {
            leaf |= Take(ref space, AddressOf(table, index), level) & Usage;
        }

        while (!space.TryReplace(parent.EntryAddress, space.Read(parent.EntryAddress), leaf, parent.Level))
        {
            // A processor set the table entry's accessed bit between the read and the exchange.
        }

        journal.Removed(ref space, table, level);
    }

    private static ulong Take(ref TSpace space, ulong entryAddress, int level)
    {
        ulong entry;
        do
        {
            entry = space.Read(entryAddress);
        }
        while (!space.TryReplace(entryAddress, entry, 0, level));
        return entry;
    }

    private static ulong AddressOf(ulong table, int index) => table + ((ulong)index * sizeof(ulong));
}
