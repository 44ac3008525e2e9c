using System.Buffers.Binary;
using System.IO.Hashing;
using MemVirt.Simulation.Traces.Mvt;

namespace MemVirt.Simulation.Traces;

/// <summary>What the index of a <c>.mvt</c> file says of it, read without the blocks.</summary>
public sealed record MvtInfo(long References, long Fetches, long Loads, long Stores, long Blocks, long FileBytes)
{
    /// <summary>
    /// Reads the index of an uncompressed <c>.mvt</c> file; null where the file has no whole one, which
    /// <see cref="TraceFile.Open(string)"/> then explains.
    /// </summary>
    public static MvtInfo? TryRead(string path)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            return TryRead(file);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return null;
        }
    }

    /// <summary>Reads the index of a file that can seek; null where it has no whole one.</summary>
    public static MvtInfo? TryRead(Stream file)
    {
        ArgumentNullException.ThrowIfNull(file);
        Span<byte> bytes = stackalloc byte[MvtIndexEntry.Bytes];
        if (!file.CanSeek || file.Length < MvtFormat.FileHeaderBytes + MvtFormat.TrailerBytes)
        {
            return null;
        }

        file.Position = file.Length - MvtFormat.TrailerBytes;
        file.ReadExactly(bytes[..MvtFormat.TrailerBytes]);
        if (!MvtFrames.TryReadTrailer(bytes, out long indexOffset, out long references)
            || indexOffset < MvtFormat.FileHeaderBytes || indexOffset > file.Length - MvtFormat.TrailerBytes)
        {
            return null;
        }

        file.Position = indexOffset;
        long indexBytes = file.Length - MvtFormat.TrailerBytes - indexOffset;
        long blocks = (indexBytes - MvtFrames.IndexHeaderBytes - sizeof(ulong)) / MvtIndexEntry.Bytes;
        return Sum(file, blocks, references);
    }

    private static MvtInfo? Sum(Stream file, long blocks, long references)
    {
        Span<byte> header = stackalloc byte[MvtFrames.IndexHeaderBytes];
        Span<byte> expected = stackalloc byte[MvtFrames.IndexHeaderBytes];
        MvtFrames.WriteIndexHeader(expected, blocks);
        if (file.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) < header.Length || !header.SequenceEqual(expected))
        {
            return null;
        }

        var hash = new XxHash3();
        var info = new MvtInfo(0, 0, 0, 0, blocks, file.Length);
        Span<byte> bytes = stackalloc byte[MvtIndexEntry.Bytes];
        for (long i = 0; i < blocks; i++)
        {
            file.ReadExactly(bytes);
            hash.Append(bytes);
            MvtIndexEntry entry = MvtIndexEntry.Read(bytes);
            info = info with
            {
                References = info.References + entry.References,
                Fetches = info.Fetches + entry.Fetches,
                Loads = info.Loads + entry.Loads,
                Stores = info.Stores + entry.References - entry.Fetches - entry.Loads,
            };
        }

        hash.Append(header);
        file.ReadExactly(bytes[..sizeof(ulong)]);
        return info.References == references && hash.GetCurrentHashAsUInt64() == BinaryPrimitives.ReadUInt64LittleEndian(bytes)
            ? info
            : null;
    }
}
