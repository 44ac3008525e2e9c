using MemVirt.Core.Access;

namespace MemVirt.Simulation.Lint;

/// <summary>An answer that a processor may give for an address, and what makes it stale.</summary>
/// <param name="IsPresent">Whether a page is found; else the access faults, and the rest says nothing.</param>
/// <param name="Page">The physical address of the 4 KiB piece accessed.</param>
/// <param name="Rights">The rights of all entries used.</param>
/// <param name="IsReserved">Of a fault: a reserved bit, rather than an entry that is not present.</param>
/// <param name="Stale">The entry nearest to the root whose value is no longer in memory; null where the answer is the tables' own.</param>
public readonly record struct TranslationAnswer(bool IsPresent, ulong Page, AccessRights Rights, bool IsReserved, StaleEntry? Stale);

/// <summary>An entry that a processor may still hold as it was.</summary>
/// <param name="Address">The entry's physical address; of a root, 0.</param>
/// <param name="Level">Its level, 0 for a PTE; the number of levels for CR3.</param>
/// <param name="Held">The value that may be held.</param>
/// <param name="Now">The value in memory.</param>
/// <param name="ChangedAt">When it was changed, in events since the start.</param>
public readonly record struct StaleEntry(ulong Address, int Level, ulong Held, ulong Now, long ChangedAt);
