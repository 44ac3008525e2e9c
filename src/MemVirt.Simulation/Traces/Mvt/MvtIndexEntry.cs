using System.Buffers.Binary;

namespace MemVirt.Simulation.Traces.Mvt;

/// <summary>A block as the index lists it.</summary>
internal readonly record struct MvtIndexEntry(
    long Offset, long FirstReference, int References, int Fetches, int Loads, bool StartsChapter)
{
    /// <summary>Bytes of an entry.</summary>
    public const int Bytes = 32;

    /// <summary>The entry of a block at an offset of the file.</summary>
    public static MvtIndexEntry Of(MvtBlockHeader header, long offset)
        => new(offset, header.FirstReference, header.References, header.Fetches, header.Loads, header.StartsChapter);

    /// <summary>Writes the entry.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteInt64LittleEndian(destination, Offset);
        BinaryPrimitives.WriteInt64LittleEndian(destination[8..], FirstReference);
        BinaryPrimitives.WriteInt32LittleEndian(destination[16..], References);
        BinaryPrimitives.WriteInt32LittleEndian(destination[20..], Fetches);
        BinaryPrimitives.WriteInt32LittleEndian(destination[24..], Loads);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[28..], StartsChapter ? 1u : 0u);
    }

    /// <summary>Reads an entry.</summary>
    public static MvtIndexEntry Read(ReadOnlySpan<byte> source)
        => new(
            BinaryPrimitives.ReadInt64LittleEndian(source),
            BinaryPrimitives.ReadInt64LittleEndian(source[8..]),
            BinaryPrimitives.ReadInt32LittleEndian(source[16..]),
            BinaryPrimitives.ReadInt32LittleEndian(source[20..]),
            BinaryPrimitives.ReadInt32LittleEndian(source[24..]),
            BinaryPrimitives.ReadUInt32LittleEndian(source[28..]) == 1);
}
