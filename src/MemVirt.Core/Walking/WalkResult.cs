using MemVirt.Core.Access;

namespace MemVirt.Core.Walking;

/// <summary>How a walk ended.</summary>
public enum WalkStatus : byte
{
    /// <summary>A leaf was reached.</summary>
    Leaf,

    /// <summary>An entry was not present.</summary>
    NotPresent,

    /// <summary>A table could not be reached: the second stage faulted.</summary>
    TableUnreachable,
}

/// <summary>The end of a walk.</summary>
/// <param name="Status">How it ended.</param>
/// <param name="Level">The level of the last table, 0 for the leaf table.</param>
/// <param name="Rights">The intersection of the entries' rights, where a leaf was reached.</param>
/// <param name="Entry">The last entry read.</param>
/// <param name="EntryAddress">The last entry's host-physical address.</param>
public readonly record struct WalkResult(WalkStatus Status, int Level, AccessRights Rights, ulong Entry, ulong EntryAddress);
