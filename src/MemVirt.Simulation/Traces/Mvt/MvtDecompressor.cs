using System.Buffers;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace MemVirt.Simulation.Traces.Mvt;

/// <summary>Decompresses the blocks of a chapter, which are the flushed pieces of one zstd frame. Fixed memory.</summary>
internal sealed class MvtDecompressor : IDisposable
{
    // The writer's window is 4 MiB; a frame that asks for more than twice that is not one of ours.
    private const int MaxWindowLog2 = 23;

    private readonly Decompressor _decompressor = new();

    /// <summary>A decompressor at the start of a frame.</summary>
    public MvtDecompressor() => _decompressor.SetParameter(ZSTD_dParameter.ZSTD_d_windowLogMax, MaxWindowLog2);

    /// <summary>Forgets the frame of the chapter before.</summary>
    public void StartFrame() => _decompressor.ResetStream();

    /// <summary>Decompresses a block; false where it doesn't come out at exactly <paramref name="rawBytes"/>.</summary>
    public bool TryDecompress(ReadOnlySpan<byte> compressed, Span<byte> raw, int rawBytes)
    {
        int filled = 0;
        try
        {
            while (!compressed.IsEmpty && filled <= rawBytes)
            {
                OperationStatus status = _decompressor.UnwrapStream(compressed, raw[filled..], out int consumed, out int written);
                compressed = compressed[consumed..];
                filled += written;
                if (status == OperationStatus.InvalidData || (consumed == 0 && written == 0))
                {
                    return false;
                }
            }
        }
        catch (ZstdException)
        {
            return false;
        }

        return filled == rawBytes && compressed.IsEmpty;
    }

    /// <inheritdoc/>
    public void Dispose() => _decompressor.Dispose();
}
