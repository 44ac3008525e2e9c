using System.Runtime.CompilerServices;

namespace MemVirt.Core.Walking;

/// <summary>How a walk gets from an entry's address in its tables' own space to the entry in host memory.</summary>
public interface ITableLocator
{
    /// <summary>What <see cref="Locate"/> returns where the second stage faults; no physical address.</summary>
    const ulong Unreachable = ulong.MaxValue;

    /// <summary>Whether <see cref="Locate"/> can answer <see cref="Unreachable"/> at all.</summary>
    static virtual bool MayFail => true;

    /// <summary>
    /// The host-physical address of the entry at <paramref name="entryAddress"/>, and whether its accessed and dirty flags may be
    /// written; <see cref="Unreachable"/> where the second stage faults.
    /// </summary>
    ulong Locate(ulong entryAddress, out bool isWritable);
}

/// <summary>Tables that lie in host-physical memory already: native, second-stage and shadow tables.</summary>
public readonly struct HostTables : ITableLocator
{
    /// <inheritdoc/>
    public static bool MayFail => false;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Locate(ulong entryAddress, out bool isWritable)
    {
        isWritable = true;
        return entryAddress;
    }
}
