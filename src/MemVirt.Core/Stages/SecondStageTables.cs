using System.Runtime.CompilerServices;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Stages;

/// <summary>Second-stage tables: they lie in host memory, and their flags may be set unless a page-modification log is full.</summary>
internal readonly struct SecondStageTables(PageModificationLog? log) : ITableLocator
{
    public static bool MayFail => false;

    /// <summary>Whether flags may be set just now.</summary>
    internal bool AreWritable => log is null || !log.IsFull;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Locate(ulong entryAddress, out bool isWritable)
    {
        isWritable = AreWritable;
        return entryAddress;
    }
}
