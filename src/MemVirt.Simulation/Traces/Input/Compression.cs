using System.Buffers.Binary;
using ZstdSharp;

namespace MemVirt.Simulation.Traces.Input;

/// <summary>How a trace is compressed, told by its first bytes, brotli, which has none of its own, by the file's name.</summary>
internal static class Compression
{
    private const int BufferBytes = 256 * 1024;

    private static ReadOnlySpan<byte> GZipMagic => [0x1F, 0x8B];

    /// <summary>The stream of the decompressed trace over an input; the input itself where it is not compressed.</summary>
    public static PeekStream Decompress(TraceInput input, out bool isCompressed)
    {
        var file = new PeekStream(input);
        ReadOnlySpan<byte> head = file.Peek();
        if (head.IsEmpty)
        {
            throw new TraceException($"{input.TracePath} is empty: record it again, or name a file that holds a trace");
        }

        (Stream? decompressor, string method) = Decompressor(file, head, input.TracePath);
        isCompressed = decompressor is not null;
        return decompressor is null ? file : Wrap(decompressor, input, method);
    }

    private static (Stream? Decompressor, string Method) Decompressor(PeekStream file, ReadOnlySpan<byte> head, string path)
    {
        if (head.StartsWith(GZipMagic))
        {
            return (new CheckedGZipStream(file), "gzip");
        }

        if (head.StartsWith(XzFormat.StreamMagic))
        {
            return (new XzStream(file), "xz");
        }

        if (IsZstd(head))
        {
            return (new DecompressionStream(file, BufferBytes, checkEndOfStream: true, leaveOpen: true), "zstd");
        }

        return path.EndsWith(".br", StringComparison.OrdinalIgnoreCase)
            ? (new CheckedBrotliStream(file), "brotli")
            : (null, string.Empty);
    }

    private static PeekStream Wrap(Stream decompressor, TraceInput input, string method)
    {
        var content = new PeekStream(new DecompressedStream(decompressor, input, method));
        return content.Peek().IsEmpty
            ? throw new TraceException($"{input.TracePath} is empty: there is nothing in its {method} data; compress the trace again")
            : content;
    }

    /// <summary>A frame of zstd, or one that it skips.</summary>
    private static bool IsZstd(ReadOnlySpan<byte> head)
        => head.Length >= 4
           && BinaryPrimitives.ReadUInt32LittleEndian(head) is 0xFD2FB528 or (>= 0x184D2A50 and <= 0x184D2A5F);
}
