namespace MemVirt.Core.Mapping;

/// <summary>
/// The memory in which software edits page tables, by the tables' own addresses. An entry is an aligned 64-bit word; in 32-bit
/// paging two entries share one.
/// </summary>
public interface ITableSpace
{
    /// <summary>Reads the word that holds an entry.</summary>
    ulong Read(ulong entryAddress);

    /// <summary>Writes the word of an entry of a table at a level: the point at which a write may be watched.</summary>
    void Write(ulong entryAddress, ulong entry, int level);

    /// <summary>
    /// Replaces the word of an entry of a table at a level where it still holds what is expected, atomically against a processor
    /// that sets
    /// accessed and dirty bits; returns whether it did.
    /// </summary>
    bool TryReplace(ulong entryAddress, ulong expected, ulong replacement, int level);

    /// <summary>A new, zeroed table's address.</summary>
    ulong AllocateTable();
}
