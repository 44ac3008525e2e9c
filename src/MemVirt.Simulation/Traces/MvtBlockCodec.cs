using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace MemVirt.Simulation.Traces;

/// <summary>
/// References to raw block bytes and back. Three columns one after the other: a control byte a reference (bits 1:0 the kind, bits
/// 4:2 the bytes of its address delta, bit 5 whether its size differs from the guess); the sizes that differ, 16 bits each; the
/// deltas, zigzag, as many low bytes as the control says.
/// </summary>
internal sealed class MvtBlockCodec
{
    internal const int LengthsBytes = 8;
    private const ulong SizeMask = ~0UL << 50;
    private const int SizeShift = 50;
    private const int SizeDiffers = 1 << 5;
    private const int Padding = 8;
    private readonly ReferencePredictor _predictor = new();
    private readonly byte[] _control = new byte[MvtLayout.BlockReferences];
    private readonly byte[] _sizes = new byte[MvtLayout.BlockReferences * 2];
    private readonly byte[] _deltas = new byte[(MvtLayout.BlockReferences * 6) + Padding];

    /// <summary>The most bytes a raw block has, and what may be read beyond its end.</summary>
    internal static int RawCapacity => LengthsBytes + (MvtLayout.BlockReferences * MvtLayout.MostRawBytesPerReference) + Padding;

    /// <summary>Writes references as raw block bytes; returns how many.</summary>
    internal int Encode(ReadOnlySpan<MemoryReference> references, Span<byte> raw)
    {
        int sizes = 0;
        int deltas = 0;
        for (int i = 0; i < references.Length; i++)
        {
            MemoryReference reference = references[i];
            ref ulong guess = ref _predictor.Guess(reference.Kind == ReferenceKind.Fetch);
            long difference = (long)((reference.Bits - guess) << 16) >> 16;
            ulong zigzag = (ulong)((difference << 1) ^ (difference >> 63)) & MemoryReference.AddressMask;
            int bytes = (64 - System.Numerics.BitOperations.LeadingZeroCount(zigzag) + 7) / 8;
            bool sizeDiffers = (reference.Bits & SizeMask) != (guess & SizeMask);
            _control[i] = (byte)((int)reference.Kind | (bytes << 2) | (sizeDiffers ? SizeDiffers : 0));
            BinaryPrimitives.WriteUInt64LittleEndian(_deltas.AsSpan(deltas), zigzag);
            deltas += bytes;
            if (sizeDiffers)
            {
                BinaryPrimitives.WriteUInt16LittleEndian(_sizes.AsSpan(sizes), (ushort)reference.SizeBytes);
                sizes += 2;
            }

            guess = (reference.Bits & SizeMask) | reference.LinearAddress48;
            if (reference.Kind == ReferenceKind.Fetch)
            {
                _predictor.Fetched(reference.LinearAddress48);
            }
        }

        BinaryPrimitives.WriteInt32LittleEndian(raw, sizes);
        BinaryPrimitives.WriteInt32LittleEndian(raw[4..], deltas);
        Span<byte> columns = raw[LengthsBytes..];
        _control.AsSpan(0, references.Length).CopyTo(columns);
        _sizes.AsSpan(0, sizes).CopyTo(columns[references.Length..]);
        _deltas.AsSpan(0, deltas).CopyTo(columns[(references.Length + sizes)..]);
        return LengthsBytes + references.Length + sizes + deltas;
    }

    /// <summary>
    /// Reads a raw block whose checksum was right. False where the columns do not fit together all the same, which no writer makes.
    /// At least <see cref="Padding"/> bytes must be readable beyond <paramref name="rawBytes"/>.
    /// </summary>
    internal bool TryDecode(ReadOnlySpan<byte> raw, int rawBytes, Span<MemoryReference> references)
    {
        int sizes = BinaryPrimitives.ReadInt32LittleEndian(raw);
        int deltas = BinaryPrimitives.ReadInt32LittleEndian(raw[4..]);
        if (sizes < 0 || deltas < 0 || (long)LengthsBytes + references.Length + sizes + deltas != rawBytes)
        {
            return false;
        }

        ReadOnlySpan<byte> control = raw.Slice(LengthsBytes, references.Length);
        int size = LengthsBytes + references.Length;
        int delta = size + sizes;
        int sizesEnd = delta;
        for (int i = 0; i < references.Length; i++)
        {
            int code = control[i];
            bool fetch = (code & 3) == (int)ReferenceKind.Fetch;
            int bytes = (code >> 2) & 7;
            if (delta > rawBytes || size > sizesEnd)
            {
                return false;
            }

            ref ulong guess = ref _predictor.Guess(fetch);
            ulong zigzag = BinaryPrimitives.ReadUInt64LittleEndian(raw[delta..]) & ((1UL << (8 * bytes)) - 1);
            delta += bytes;
            ulong address = (guess + ((zigzag >> 1) ^ (0 - (zigzag & 1)))) & MemoryReference.AddressMask;
            ulong sizeBits = guess & SizeMask;
            if ((code & SizeDiffers) != 0)
            {
                sizeBits = (ulong)BinaryPrimitives.ReadUInt16LittleEndian(raw[size..]) << SizeShift;
                size += 2;
            }

            guess = sizeBits | address;
            references[i] = MemoryReference.FromBits(sizeBits | address | ((ulong)(code & 3) << 48));
            if (fetch)
            {
                _predictor.Fetched(address);
            }
        }

        return size == sizesEnd && delta == rawBytes;
    }
}
