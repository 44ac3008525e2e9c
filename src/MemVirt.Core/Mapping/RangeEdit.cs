using MemVirt.Core.Formats;

namespace MemVirt.Core.Mapping;

/// <summary>
/// One change of every leaf in a range, down the tables that are there. Each leaf is replaced by compare-exchange, so that a bit
/// which a processor sets meanwhile is either in what was replaced or in what stands there now, never lost.
/// </summary>
internal static class RangeEdit<TFormat, TSpace, TEdit>
    where TFormat : struct, IPageTableFormat
    where TSpace : struct, ITableSpace
    where TEdit : struct, ILeafEdit
{
    private const ulong TableBytes = 1UL << 12;

    /// <summary>
    /// Changes the leaves from the address <paramref name="first"/> to <paramref name="last"/>, which no leaf crosses.
    /// </summary>
    internal static void Apply(
        ref TSpace space, ulong table, int level, ulong first, ulong last, ref TEdit edit, ref EditJournal journal)
    {
        ulong mask = (1UL << TFormat.ShiftOf(level)) - 1;
        for (ulong at = first; ; at = (at | mask) + 1)
        {
            ulong lastOfEntry = Math.Min(last, at | mask);
            ulong entryAddress = table + TFormat.EntryOffset(at, level);
            ulong entry = SpaceEntry<TFormat, TSpace>.Read(ref space, entryAddress);
            if (TFormat.IsPresent(entry))
            {
                if (TFormat.IsLeaf(entry, level))
                {
                    Replace(ref space, entryAddress, level, at, ref edit, ref journal);
                }
                else
                {
                    ulong below = TFormat.TableAddress(entry);
                    Apply(ref space, below, level - 1, at, lastOfEntry, ref edit, ref journal);
                    if (TEdit.Removes)
                    {
                        RemoveWhereEmpty(ref space, entryAddress, level, below, ref journal);
                    }
                }
            }

            if (lastOfEntry == last)
            {
                return;
            }
        }
    }

    private static void Replace(
        ref TSpace space, ulong entryAddress, int level, ulong address, ref TEdit edit, ref EditJournal journal)
    {
        while (true)
        {
            ulong before = SpaceEntry<TFormat, TSpace>.Read(ref space, entryAddress);
            ulong after = edit.Change(before, level);
            if (before == after)
            {
                return;
            }

            if (SpaceEntry<TFormat, TSpace>.TryReplace(ref space, entryAddress, before, after, level))
            {
                journal.Replaced<TFormat>(before, after, level);
                edit.Changed(address, before, level);
                return;
            }
        }
    }

    private static void RemoveWhereEmpty(ref TSpace space, ulong entryAddress, int level, ulong table, ref EditJournal journal)
    {
        for (ulong offset = 0; offset < TableBytes; offset += sizeof(ulong))
        {
            if (space.Read(table + offset) != 0)
            {
                return;
            }
        }

        SpaceEntry<TFormat, TSpace>.Exchange(ref space, entryAddress, 0, level);
        journal.Removed(ref space, table, level - 1);
    }
}
