using System.Buffers.Binary;
using System.IO.Hashing;

namespace MemVirt.Simulation.Traces.Mvt;

/// <summary>The fixed parts of a file: its header, the header of its index, its trailer.</summary>
internal static class MvtFrames
{
    /// <summary>Bytes of the index's header: magic, reserved, number of entries.</summary>
    public const int IndexHeaderBytes = 16;

    /// <summary>Writes the file header: magic, version, length, reserved, hash.</summary>
    public static void WriteFileHeader(Span<byte> destination)
    {
        destination[..MvtFormat.FileHeaderBytes].Clear();
        MvtFormat.FileMagic.CopyTo(destination);
        BinaryPrimitives.WriteInt32LittleEndian(destination[8..], MvtFormat.Version);
        BinaryPrimitives.WriteInt32LittleEndian(destination[12..], MvtFormat.FileHeaderBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[24..], XxHash3.HashToUInt64(destination[..24]));
    }

    /// <summary>Whether the header is whole; its version may still be one that is not known.</summary>
    public static bool IsWholeFileHeader(ReadOnlySpan<byte> source, out int version)
    {
        version = BinaryPrimitives.ReadInt32LittleEndian(source[8..]);
        return source.StartsWith(MvtFormat.FileMagic)
            && BinaryPrimitives.ReadUInt64LittleEndian(source[24..]) == XxHash3.HashToUInt64(source[..24]);
    }

    /// <summary>Writes the index's header.</summary>
    public static void WriteIndexHeader(Span<byte> destination, long blocks)
    {
        destination[..IndexHeaderBytes].Clear();
        MvtFormat.IndexMagic.CopyTo(destination);
        BinaryPrimitives.WriteInt64LittleEndian(destination[8..], blocks);
    }

    /// <summary>Writes the trailer: where the index begins, the references of the file, hash, magic.</summary>
    public static void WriteTrailer(Span<byte> destination, long indexOffset, long references)
    {
        BinaryPrimitives.WriteInt64LittleEndian(destination, indexOffset);
        BinaryPrimitives.WriteInt64LittleEndian(destination[8..], references);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[16..], XxHash3.HashToUInt64(destination[..16]));
        MvtFormat.EndMagic.CopyTo(destination[24..]);
    }

    /// <summary>Reads a trailer; false where it is damaged.</summary>
    public static bool TryReadTrailer(ReadOnlySpan<byte> source, out long indexOffset, out long references)
    {
        indexOffset = BinaryPrimitives.ReadInt64LittleEndian(source);
        references = BinaryPrimitives.ReadInt64LittleEndian(source[8..]);
        return source[24..].SequenceEqual(MvtFormat.EndMagic)
            && BinaryPrimitives.ReadUInt64LittleEndian(source[16..]) == XxHash3.HashToUInt64(source[..16]);
    }
}
