using System.Runtime.CompilerServices;

namespace MemVirt.Core.Walking;

/// <summary>How a walk gets from an entry's address in its tables' own space to the entry in host memory.</summary>
public interface ITableLocator
{
    /// <summary>
    /// The host-physical address of the entry at <paramref name="entryAddress"/>, and whether its accessed and dirty flags may be
    /// written; false where the second stage faults.
    /// </summary>
    bool TryLocate(ulong entryAddress, out ulong hostEntry, out bool isWritable);
}

/// <summary>Tables that lie in host-physical memory already: native, second-stage and shadow tables.</summary>
public readonly struct HostTables : ITableLocator
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryLocate(ulong entryAddress, out ulong hostEntry, out bool isWritable)
    {
        hostEntry = entryAddress;
        isWritable = true;
        return true;
    }
}
