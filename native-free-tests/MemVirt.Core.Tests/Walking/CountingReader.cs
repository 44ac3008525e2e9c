using MemVirt.Core.Memory;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Walking;

internal sealed class ReadCounts
{
    internal int Guest { get; set; }

    internal int SecondStage { get; set; }

    internal int Total => Guest + SecondStage;

    internal void Reset() => (Guest, SecondStage) = (0, 0);
}

/// <summary>Reads host memory and counts by kind.</summary>
internal readonly struct CountingReader(SparseMemory memory, ReadCounts counts) : ITableReader
{
    public ulong Read(ulong hostAddress, TableKind kind, int level)
    {
        if (kind == TableKind.SecondStage)
        {
            counts.SecondStage++;
        }
        else
        {
            counts.Guest++;
        }

        return memory.Read(hostAddress);
    }

    public bool TryReplace(ulong hostAddress, ulong expected, ulong replacement)
        => memory.TryReplace(hostAddress, expected, replacement);
}
