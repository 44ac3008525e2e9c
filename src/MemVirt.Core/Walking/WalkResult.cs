using MemVirt.Core.Access;

namespace MemVirt.Core.Walking;

/// <summary>How a walk ended.</summary>
public enum WalkStatus : byte
{
    /// <summary>A leaf was reached.</summary>
    Leaf,

    /// <summary>An entry was not present.</summary>
    NotPresent,

    /// <summary>A present entry has a reserved bit or a forbidden combination set.</summary>
    Reserved,

    /// <summary>A table could not be reached: the second stage faulted.</summary>
    TableUnreachable,

    /// <summary>An accessed flag must be set where the second stage forbids writes.</summary>
    TableReadOnly,
}

/// <summary>The end of a walk.</summary>
/// <param name="Status">How it ended.</param>
/// <param name="Level">The level of the last table, 0 for the leaf table.</param>
/// <param name="Rights">The intersection of the entries' rights down to the last entry.</param>
/// <param name="Entry">The last entry read.</param>
/// <param name="EntryAddress">The last entry's host-physical address.</param>
/// <param name="Table">The last table's address in the tables' own space, or <see cref="UnknownTable"/>.</param>
/// <param name="IsWritable">Whether the last table's flags may be written.</param>
public readonly record struct WalkResult(
    WalkStatus Status, int Level, AccessRights Rights, ulong Entry, ulong EntryAddress, ulong Table, bool IsWritable)
{
    /// <summary>A cache gave the table's place in the host alone.</summary>
    public const ulong UnknownTable = ulong.MaxValue;
}

/// <summary>How far a walk has come.</summary>
/// <param name="Level">The level of the entry.</param>
/// <param name="Table">The address of its table in the tables' own space.</param>
/// <param name="Granted">The entries above, intersected, with the bits that withhold a right inverted.</param>
/// <param name="Entry">The entry, where it has been read.</param>
/// <param name="EntryAddress">Its host-physical address, where it has been located.</param>
/// <param name="IsWritable">Whether its flags may be written.</param>
internal readonly record struct WalkPoint(int Level, ulong Table, ulong Granted, ulong Entry, ulong EntryAddress, bool IsWritable);
