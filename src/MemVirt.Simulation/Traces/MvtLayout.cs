using System.Buffers.Binary;
using System.IO.Hashing;

namespace MemVirt.Simulation.Traces;

/// <summary>
/// The pieces of an <c>.mvt</c> file (docs/mvt-format.md): a magic and version, sections with a header and a checksum over header and
/// payload, the last of which is the index, and nothing after it.
/// </summary>
internal static class MvtLayout
{
    internal const int BlockReferences = 1 << 16;

    /// <summary>Control byte, largest size escape, largest delta of a reference.</summary>
    internal const int MostRawBytesPerReference = 1 + 2 + 6;

    internal const int MagicBytes = 8;
    internal const int HeaderBytes = 24;
    internal const uint BlockKind = 0x4B4C4221; // "!BLK"
    internal const uint IndexKind = 0x58444921; // "!IDX"
    internal const int IndexEntryBytes = 16;

    /// <summary>The file's first bytes: MVT, an 8-bit byte, a line end that text transfers break, the version.</summary>
    internal static ReadOnlySpan<byte> Magic => [(byte)'M', (byte)'V', (byte)'T', 0x89, (byte)'\r', (byte)'\n', 0x1A, 1];

    /// <summary>Writes a section's header: kind, references (or entries), raw bytes, stored bytes, and the checksum of all that follows it and it.</summary>
    internal static void WriteHeader(Span<byte> header, uint kind, int items, int rawBytes, ReadOnlySpan<byte> stored)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(header, kind);
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], items);
        BinaryPrimitives.WriteInt32LittleEndian(header[8..], rawBytes);
        BinaryPrimitives.WriteInt32LittleEndian(header[12..], stored.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(header[16..], Checksum(header[..16], stored));
    }

    /// <summary>The checksum of a section: XXH3 of its payload, seeded with XXH3 of its header's first 16 bytes.</summary>
    internal static ulong Checksum(ReadOnlySpan<byte> header, ReadOnlySpan<byte> stored)
        => XxHash3.HashToUInt64(stored, (long)XxHash3.HashToUInt64(header));
}
