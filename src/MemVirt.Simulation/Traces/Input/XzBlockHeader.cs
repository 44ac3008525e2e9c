using System.Buffers.Binary;
using System.IO.Hashing;

namespace MemVirt.Simulation.Traces.Input;

/// <summary>A block's header (§3.1): the sizes, where given, and the one filter that traces are compressed with, LZMA2.</summary>
internal readonly record struct XzBlockHeader(long? CompressedBytes, long? UncompressedBytes, byte DictionaryCode)
{
    /// <summary>Reads the header whose first byte, its size, has been taken already.</summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    /// <exception cref="NotSupportedException">It asks for a filter or a dictionary that is not supported.</exception>
    public static XzBlockHeader Read(XzInput input, byte sizeByte)
    {
        Span<byte> header = stackalloc byte[(sizeByte + 1) * 4];
        header[0] = sizeByte;
        input.Take(header[1..]);
        Span<byte> fields = header[..^4];
        if (Crc32.HashToUInt32(fields) != BinaryPrimitives.ReadUInt32LittleEndian(header[^4..]))
        {
            throw new InvalidDataException();
        }

        byte flags = fields[1];
        ReadOnlySpan<byte> rest = fields[2..];
        long? compressed = (flags & 0x40) != 0 ? XzInteger.Take(ref rest) : null;
        long? uncompressed = (flags & 0x80) != 0 ? XzInteger.Take(ref rest) : null;
        ulong filter = (ulong)XzInteger.Take(ref rest);
        if ((flags & 3) != 0 || filter != XzFormat.Lzma2Filter)
        {
            throw new NotSupportedException($"it uses filters besides LZMA2 (0x{filter:x}); compress again with plain `xz`");
        }

        if ((flags & 0x3C) != 0 || rest.Length < 2 || rest[0] != 1 || rest[2..].ContainsAnyExcept((byte)0))
        {
            throw new InvalidDataException();
        }

        return rest[1] <= XzFormat.MaxDictionaryCode
            ? new XzBlockHeader(compressed, uncompressed, rest[1])
            : throw new NotSupportedException("its dictionary is over 256 MiB; compress again with `xz -9`");
    }
}
