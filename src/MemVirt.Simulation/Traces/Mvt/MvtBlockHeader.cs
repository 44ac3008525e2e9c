using System.Buffers.Binary;

namespace MemVirt.Simulation.Traces.Mvt;

/// <summary>What precedes a block's compressed columns; a hash of both follows them.</summary>
internal readonly record struct MvtBlockHeader(
    bool StartsChapter, long FirstReference, int References, int Fetches, int Loads, int RawBytes, int CompressedBytes)
{
    /// <summary>Bytes of the header.</summary>
    public const int Bytes = 40;

    /// <summary>Bytes of the hash behind the compressed columns.</summary>
    public const int HashBytes = sizeof(ulong);

    /// <summary>Stores of the block.</summary>
    public int Stores => References - Fetches - Loads;

    /// <summary>Writes the header.</summary>
    public void Write(Span<byte> destination)
    {
        MvtFormat.BlockMagic.CopyTo(destination);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], StartsChapter ? 1u : 0u);
        BinaryPrimitives.WriteInt64LittleEndian(destination[8..], FirstReference);
        BinaryPrimitives.WriteInt32LittleEndian(destination[16..], References);
        BinaryPrimitives.WriteInt32LittleEndian(destination[20..], Fetches);
        BinaryPrimitives.WriteInt32LittleEndian(destination[24..], Loads);
        BinaryPrimitives.WriteInt32LittleEndian(destination[28..], RawBytes);
        BinaryPrimitives.WriteInt32LittleEndian(destination[32..], CompressedBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[36..], 0);
    }

    /// <summary>Reads a header; false where a field is out of its range, so that nothing is allocated or read by it.</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, out MvtBlockHeader header)
    {
        uint flags = BinaryPrimitives.ReadUInt32LittleEndian(source[4..]);
        header = new MvtBlockHeader(
            flags == 1,
            BinaryPrimitives.ReadInt64LittleEndian(source[8..]),
            BinaryPrimitives.ReadInt32LittleEndian(source[16..]),
            BinaryPrimitives.ReadInt32LittleEndian(source[20..]),
            BinaryPrimitives.ReadInt32LittleEndian(source[24..]),
            BinaryPrimitives.ReadInt32LittleEndian(source[28..]),
            BinaryPrimitives.ReadInt32LittleEndian(source[32..]));
        return source.StartsWith(MvtFormat.BlockMagic)
            && flags <= 1
            && header.References is >= 1 and <= MvtFormat.MaxBlockReferences
            && header.Fetches >= 0 && header.Loads >= 0 && header.Stores >= 0
            && header.RawBytes is >= MvtColumns.TableBytes and <= MvtFormat.MaxRawBytes
            && header.CompressedBytes is >= 1 and <= MvtFormat.MaxCompressedBytes;
    }
}
