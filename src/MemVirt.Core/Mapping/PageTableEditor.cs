using MemVirt.Core.Formats;

namespace MemVirt.Core.Mapping;

/// <summary>Software's side of page tables: finds and makes the path to an entry, in any format.</summary>
public static class PageTableEditor<TFormat, TSpace>
    where TFormat : struct, IPageTableFormat
    where TSpace : struct, ITableSpace
{
    /// <summary>
    /// The address of the entry at <paramref name="leafLevel"/> that translates <paramref name="address"/>. Missing tables are
    /// allocated and linked from the top down; <paramref name="tablesAllocated"/> says how many.
    /// </summary>
    public static ulong EnsureEntry(ref TSpace space, ulong root, ulong address, int leafLevel, out int tablesAllocated)
    {
        tablesAllocated = 0;
        ulong table = root;
        for (int level = TFormat.Levels - 1; level > leafLevel; level--)
        {
            ulong entryAddress = table + TableGeometry.EntryOffset(address, level);
            ulong entry = space.Read(entryAddress);
            if (TFormat.IsPresent(entry))
            {
                table = TableGeometry.TableAddress(entry);
                continue;
            }

            table = space.AllocateTable();
            tablesAllocated++;
            space.Write(entryAddress, TFormat.TableEntry(table), level);
        }

        return table + TableGeometry.EntryOffset(address, leafLevel);
    }
}
