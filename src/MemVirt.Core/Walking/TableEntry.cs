using System.Runtime.CompilerServices;
using MemVirt.Core.Formats;

namespace MemVirt.Core.Walking;

/// <summary>An entry of a format in the 64-bit word that a reader reads: the whole word, or half of it in 32-bit paging.</summary>
internal static class TableEntry<TFormat, TReader>
    where TFormat : struct, IPageTableFormat
    where TReader : struct, ITableReader
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Read(ref TReader reader, ulong entryAddress, TableKind kind, int level)
    {
        ulong word = reader.Read(WordOf(entryAddress), kind, level);
        return TFormat.EntryBytes == 8 ? word : (word >> ShiftOf(entryAddress)) & uint.MaxValue;
    }

    /// <summary>Sets flags in an entry that still holds what was read; false where it has been changed, and must be read again.</summary>
    internal static bool TrySetFlags(ref TReader reader, ulong entryAddress, TableKind kind, int level, ulong entry, ulong flags)
    {
        if (TFormat.EntryBytes == 8)
        {
            return reader.TryReplace(entryAddress, entry, entry | flags);
        }

        while (true)
        {
            ulong word = reader.Read(WordOf(entryAddress), kind, level);
            if (((word >> ShiftOf(entryAddress)) & uint.MaxValue) != entry)
            {
                return false;
            }

            if (reader.TryReplace(WordOf(entryAddress), word, word | (flags << ShiftOf(entryAddress))))
            {
                return true;
            }
        }
    }

    private static ulong WordOf(ulong entryAddress) => TFormat.EntryBytes == 8 ? entryAddress : entryAddress & ~7UL;

    private static int ShiftOf(ulong entryAddress) => (int)(entryAddress & 4) * 8;
}
