using MemVirt.Core.Formats;

namespace MemVirt.Core.Mapping;

/// <summary>An entry of a format in a space of 64-bit words: the whole word, or half of it in 32-bit paging.</summary>
internal static class SpaceEntry<TFormat, TSpace>
    where TFormat : struct, IPageTableFormat
    where TSpace : struct, ITableSpace
{
    /// <summary>Entries of a table.</summary>
    internal static int CountOfTable => (1 << 12) / TFormat.EntryBytes;

    /// <summary>The lowest address bit that the tables do not translate.</summary>
    internal static int Reach => TFormat.ShiftOf(TFormat.Levels - 1) + int.Log2(CountOfTable);

    internal static ulong AddressOf(ulong table, int index) => table + (ulong)(index * TFormat.EntryBytes);

    internal static ulong Read(ref TSpace space, ulong entryAddress)
    {
        ulong word = space.Read(WordOf(entryAddress));
        return TFormat.EntryBytes == 8 ? word : (word >> ShiftOf(entryAddress)) & uint.MaxValue;
    }

    /// <summary>Writes an entry that no processor changes meanwhile.</summary>
    internal static void Write(ref TSpace space, ulong entryAddress, ulong entry, int level)
    {
        if (TFormat.EntryBytes == 8)
        {
            space.Write(entryAddress, entry, level);
            return;
        }

        // A processor may set flags of the other entry in the word.
        Exchange(ref space, entryAddress, entry, level);
    }

    internal static bool TryReplace(ref TSpace space, ulong entryAddress, ulong expected, ulong replacement, int level)
    {
        if (TFormat.EntryBytes == 8)
        {
            return space.TryReplace(entryAddress, expected, replacement, level);
        }

        while (true)
        {
            ulong word = space.Read(WordOf(entryAddress));
            if (((word >> ShiftOf(entryAddress)) & uint.MaxValue) != expected)
            {
                return false;
            }

            if (space.TryReplace(WordOf(entryAddress), word, Within(word, entryAddress, replacement), level))
            {
                return true;
            }
        }
    }

    /// <summary>
    /// Replaces an entry whatever it holds and returns what that was: bits that a processor sets meanwhile included.
    /// </summary>
    internal static ulong Exchange(ref TSpace space, ulong entryAddress, ulong replacement, int level)
    {
        ulong entry;
        do
        {
            entry = Read(ref space, entryAddress);
        }
        while (!TryReplace(ref space, entryAddress, entry, replacement, level));
        return entry;
    }

    private static ulong Within(ulong word, ulong entryAddress, ulong entry)
        => (word & ~((ulong)uint.MaxValue << ShiftOf(entryAddress))) | (entry << ShiftOf(entryAddress));

    private static ulong WordOf(ulong entryAddress) => TFormat.EntryBytes == 8 ? entryAddress : entryAddress & ~7UL;

    private static int ShiftOf(ulong entryAddress) => (int)(entryAddress & 4) * 8;
}
