using Microsoft.Extensions.ObjectPool;

namespace MemVirt.Simulation.Traces.Mvt;

/// <summary>
/// The 14 MB that reading takes, whatever a trace's length. To get them from the system costs as much as a million references: readers
/// that follow one another share them, and the last ones given back are kept for the next.
/// </summary>
internal sealed class MvtBuffers
{
    private const int Kept = 4;
    private static readonly DefaultObjectPool<MvtBuffers> _pool = new(new DefaultPooledObjectPolicy<MvtBuffers>(), Kept);

    /// <summary>Decodes a block; what it holds of a trace before is forgotten when a chapter starts.</summary>
    internal MvtBlockDecoder Decoder { get; } = new();

    /// <summary>A block as it is in the file.</summary>
    internal byte[] Block { get; } = new byte[MvtBlockHeader.Bytes + MvtFormat.MaxCompressedBytes + MvtBlockHeader.HashBytes];

    internal static MvtBuffers Rent() => _pool.Get();

    /// <summary>Gives buffers back; the caller must not use them any more.</summary>
    internal static void Return(MvtBuffers buffers) => _pool.Return(buffers);
}
