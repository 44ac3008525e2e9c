using MemVirt.Core.Formats;

namespace MemVirt.Core.Mapping;

/// <summary>
/// Where the way down to an address ends: at a leaf, at an entry that is not present, or at the level asked for.
/// </summary>
/// <param name="EntryAddress">The entry's address, in the tables' own space.</param>
/// <param name="Entry">What it held.</param>
/// <param name="Level">Its level, 0 for a PTE.</param>
internal readonly record struct EntryPosition(ulong EntryAddress, ulong Entry, int Level)
{
    /// <summary>Goes down from the root, as far as <paramref name="lastLevel"/>. At most one read a level.</summary>
    internal static EntryPosition Find<TFormat, TSpace>(ref TSpace space, ulong root, ulong address, int lastLevel)
        where TFormat : struct, IPageTableFormat
        where TSpace : struct, ITableSpace
    {
        ulong table = root;
        for (int level = TFormat.Levels - 1; ; level--)
        {
            ulong entryAddress = table + TFormat.EntryOffset(address, level);
            ulong entry = SpaceEntry<TFormat, TSpace>.Read(ref space, entryAddress);
            if (level == lastLevel || !TFormat.IsPresent(entry) || TFormat.IsLeaf(entry, level))
            {
                return new EntryPosition(entryAddress, entry, level);
            }

            table = TFormat.TableAddress(entry);
        }
    }
}
