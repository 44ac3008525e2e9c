using MemVirt.Core.Memory;

namespace MemVirt.Core.Walking;

/// <summary>Reads tables from host memory and does nothing else.</summary>
public readonly struct HostTableReader(SparseMemory memory) : ITableReader
{
    /// <inheritdoc/>
    public ulong Read(ulong hostAddress, TableKind kind, int level) => memory.Read(hostAddress);

    /// <inheritdoc/>
    public bool TryReplace(ulong hostAddress, ulong expected, ulong replacement) => memory.TryReplace(hostAddress, expected, replacement);
}
