using System.Numerics;
using System.Runtime.CompilerServices;

namespace MemVirt.Simulation.Traces.Mvt;

/// <summary>
/// One column of a block being written: bytes appended to an array of fixed capacity, which the writer sized so that a block
/// cannot overfill it.
/// </summary>
internal sealed class Column(int capacityBytes)
{
    private readonly byte[] _bytes = new byte[capacityBytes + sizeof(ulong)];

    /// <summary>Bytes held.</summary>
    public int Length { get; private set; }

    /// <summary>The bytes held.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, Length);

    /// <summary>Appends one byte.</summary>
    public void Add(byte value) => _bytes[Length++] = value;

    /// <summary>Appends two bytes.</summary>
    public void Add(ushort value)
    {
        Add((byte)value);
        Add((byte)(value >> 8));
    }

    /// <summary>Appends seven bits a byte, the lowest first, the top bit set on all but the last.</summary>
    public void AddVarint(ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            Add((byte)(value | 0x80));
        }

        Add((byte)value);
    }

    /// <summary>Appends the bytes of <paramref name="value"/> without its leading zeros and returns how many, 0 to 8.</summary>
    public int AddSignificant(ulong value)
    {
        int count = (64 + 7 - BitOperations.LeadingZeroCount(value)) >> 3;
        ulong little = BitConverter.IsLittleEndian ? value : System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(value);
        Unsafe.WriteUnaligned(ref _bytes.AsSpan(Length, sizeof(ulong))[0], little);
        Length += count;
        return count;
    }

    /// <summary>Forgets the bytes.</summary>
    public void Clear() => Length = 0;
}
