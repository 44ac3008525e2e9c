using System.IO.Compression;
using SharpCompress.Compressors.Xz;

namespace MemVirt.Simulation.Traces;

/// <summary>Opens traces: tells the compression by its magic bytes, then the format.</summary>
public static class TraceFile
{
    private const int LongestMagic = 8;
    private static ReadOnlySpan<byte> GzipMagic => [0x1F, 0x8B];

    private static ReadOnlySpan<byte> XzMagic => [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0];

    private static ReadOnlySpan<byte> ZstdMagic => [0x28, 0xB5, 0x2F, 0xFD];

    /// <summary>Opens a file, or standard input for <c>-</c>.</summary>
    /// <exception cref="TraceException">It cannot be opened, is empty, or holds no reference.</exception>
    public static ITraceReader Open(string path) => Open(path == "-" ? Console.OpenStandardInput() : OpenFile(path), path);

    /// <summary>Opens a stream, which the reader then owns; it need not be seekable.</summary>
    /// <param name="stream">The bytes.</param>
    /// <param name="path">The name for messages and results; its extension tells brotli and ChampSim, which have no magic bytes.</param>
    /// <exception cref="TraceException">The stream is empty or holds no reference.</exception>
    public static ITraceReader Open(Stream stream, string path)
    {
        try
        {
            return OpenDecoded(Decode(stream, path), path);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Opens lackey text that is not compressed, as it comes: a live log.</summary>
    public static ITraceReader OpenLackey(Stream stream, string path) => new LackeyReader(new ByteInput(stream, stream, path));

    private static FileStream OpenFile(string path)
    {
        if (Directory.Exists(path))
        {
            throw new TraceException($"{path}: is a directory; give a trace file");
        }

        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new TraceException($"{path}: no such file; check the path, or record one with memvirt record", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new TraceException($"{path}: cannot be opened; check that it may be read", exception);
        }
    }

    /// <summary>The stream as decompressed bytes, by its magic.</summary>
    private static ByteInput Decode(Stream stream, string path)
    {
        byte[] magic = Peek(new ByteInput(stream, stream, path), out Stream whole, stream);
        if (magic.Length == 0)
        {
            throw new TraceException($"{path}: is empty; give a trace with references");
        }

        Stream decoded =
            magic.AsSpan().StartsWith(GzipMagic) ? new GZipStream(whole, CompressionMode.Decompress)
            : magic.AsSpan().StartsWith(XzMagic) ? new CheckedXzStream(new BufferedStream(whole, 1 << 16))
            : magic.AsSpan().StartsWith(ZstdMagic) ? new ZstdSharp.DecompressionStream(whole)
            : path.EndsWith(".br", StringComparison.OrdinalIgnoreCase) ? new BrotliStream(whole, CompressionMode.Decompress)
            : whole;
        return new ByteInput(stream, decoded, path);
    }

    private static ITraceReader OpenDecoded(ByteInput input, string path)
    {
        byte[] magic = Peek(input, out Stream whole, input.Stream);
        ByteInput again = ReferenceEquals(whole, input.Stream) ? input : input.Replay(whole);
        if (magic.AsSpan().StartsWith(MvtLayout.Magic))
        {
            return new MvtReader(again);
        }

        if (magic.Length == 0)
        {
            throw new TraceException($"{path}: is empty once decompressed; give a trace with references");
        }

        return ChampSimReader.Claims(path) ? new ChampSimReader(again) : new LackeyReader(again);
    }

    /// <summary>The first bytes, and a stream that still has them.</summary>
    private static byte[] Peek(ByteInput input, out Stream whole, Stream stream)
    {
        byte[] magic = new byte[LongestMagic];
        int length = input.Fill(magic);
        Array.Resize(ref magic, length);
        if (stream.CanSeek)
        {
            stream.Position = 0;
            whole = stream;
        }
        else
        {
            whole = new PrefixedStream(magic, stream);
        }

        return magic;
    }
}
