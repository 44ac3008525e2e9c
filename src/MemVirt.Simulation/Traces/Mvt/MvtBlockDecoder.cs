using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MemVirt.Simulation.Traces.Mvt;

/// <summary>
/// Turns the columns of a block back into references: for each token it copies the phrase and puts the addresses of its data
/// in. The columns have passed their checksum; what does not fit together all the same ends the decoding, never more.
/// </summary>
internal sealed class MvtBlockDecoder
{
    // A phrase of 64 differences may be read past the end of its column before that is noticed: 15 bytes is the most that
    // four bits of width can say, and 8 more are loaded.
    private const int SlackBytes = (MvtFormat.PhraseReferences * 15) + sizeof(ulong);

    private readonly DecodedPhrases _book = new();
    private readonly MemoryReference[] _spill = new MemoryReference[MvtFormat.PhraseReferences];
    private DefinitionColumns _definitions;
    private int _tokens;
    private int _tokenCount;
    private int _token;
    private int _widths;
    private int _widthCount;
    private int _dataIndex;
    private int _difference;
    private int _differenceEnd;
    private ulong _lastData;
    private int _spillStart;
    private int _spillEnd;

    /// <summary>The block's columns, behind the table of their lengths: filled by the caller before <see cref="TryStart"/>.</summary>
    public byte[] Raw { get; } = new byte[MvtFormat.MaxRawBytes + SlackBytes];

    /// <summary>Whether the block's references have all been returned.</summary>
    public bool IsAtEnd => _token == _tokenCount && _spillStart == _spillEnd;

    /// <summary>Whether nothing of the block is left over, as it must be at the end of a whole one.</summary>
    public bool IsUsedUp
        => IsAtEnd && _definitions.IsAtEnd && _difference == _differenceEnd && _widthCount == (_dataIndex + 1) / 2;

    /// <summary>Forgets phrases and addresses, as at the start of a chapter.</summary>
    public void StartChapter()
    {
        _book.Clear();
        _lastData = 0;
    }

    /// <summary>Finds the columns among the first <paramref name="rawBytes"/> of <see cref="Raw"/>; false where they don't fit.</summary>
    public bool TryStart(int rawBytes)
    {
        _token = _tokenCount = _spillStart = _spillEnd = _dataIndex = 0;
        Span<Range> columns = stackalloc Range[MvtColumns.Count];
        long start = MvtColumns.TableBytes;
        for (int i = 0; i < columns.Length; i++)
        {
            long end = start + BinaryPrimitives.ReadUInt32LittleEndian(Raw.AsSpan(i * sizeof(uint)));
            if (end > rawBytes)
            {
                return false;
            }

            columns[i] = (int)start..(int)end;
            start = end;
        }

        Range low = columns[(int)MvtColumn.TokensLow];
        Range high = columns[(int)MvtColumn.TokensHigh];
        Range widths = columns[(int)MvtColumn.Widths];
        Range differences = columns[(int)MvtColumn.Differences];
        _definitions = new DefinitionColumns(Raw, columns[0], columns[1], columns[2], columns[3]);
        _tokens = low.Start.Value;
        _tokenCount = low.End.Value - low.Start.Value;
        _widths = widths.Start.Value;
        _widthCount = widths.End.Value - widths.Start.Value;
        _difference = differences.Start.Value;
        _differenceEnd = differences.End.Value;
        return start == rawBytes && high.End.Value - high.Start.Value == _tokenCount;
    }

    /// <summary>
    /// Fills <paramref name="destination"/> with the block's next references; returns how many, or minus one where the columns
    /// contradict each other.
    /// </summary>
    public int Decode(Span<MemoryReference> destination)
    {
        int filled = TakeSpill(destination);
        while (filled < destination.Length && _token < _tokenCount)
        {
            int decoded = destination.Length - filled >= MvtFormat.PhraseReferences
                ? DecodePhrases(destination[filled..])
                : SpillPhrase();
            if (decoded < 0)
            {
                return -1;
            }

            filled += decoded;
            filled += TakeSpill(destination[filled..]);
        }

        return filled;
    }

    private int SpillPhrase()
    {
        int decoded = DecodePhrases(_spill);
        _spillStart = 0;
        _spillEnd = Math.Max(decoded, 0);
        return Math.Min(decoded, 0);
    }

    private int TakeSpill(Span<MemoryReference> destination)
    {
        int taken = Math.Min(_spillEnd - _spillStart, destination.Length);
        _spill.AsSpan(_spillStart, taken).CopyTo(destination);
        _spillStart += taken;
        return taken;
    }

    /// <summary>Decodes phrases while a whole one fits whatever its length.</summary>
    private int DecodePhrases(Span<MemoryReference> destination)
    {
        // Plain references instead of spans: the bounds are checked once a phrase, below, rather than once an element.
        ref byte raw = ref MemoryMarshal.GetArrayDataReference(Raw);
        ref ulong cells = ref MemoryMarshal.GetArrayDataReference(_book.Cells);
        ref ulong lastAddresses = ref MemoryMarshal.GetArrayDataReference(_book.LastAddresses);
        ref ulong output = ref Unsafe.As<MemoryReference, ulong>(ref MemoryMarshal.GetReference(destination));
        int filled = 0;
        int token = _token;
        int difference = _difference;
        int dataIndex = _dataIndex;
        ulong address = _lastData;
        int lastStart = destination.Length - MvtFormat.PhraseReferences;
        for (; token < _tokenCount && filled <= lastStart; token++)
        {
            int number = Unsafe.Add(ref raw, _tokens + token) | (Unsafe.Add(ref raw, _tokens + _tokenCount + token) << 8);
            if (number >= _book.Count && !(number == _book.Count && _book.TryDefine(ref _definitions, address)))
            {
                return -1;
            }

            Phrase phrase = _book.Phrases[number];
            ref ulong cell = ref Unsafe.Add(ref cells, phrase.CellStart);
            ref ulong reference = ref Unsafe.Add(ref output, filled);
            CopyPhrase(ref cell, ref reference, phrase.Length);
            ref ulong last = ref Unsafe.Add(ref lastAddresses, phrase.AddressStart);
            for (ulong mask = phrase.DataMask; mask != 0; mask &= mask - 1)
            {
                int width = (Unsafe.Add(ref raw, _widths + (dataIndex >> 1)) >> ((dataIndex & 1) << 2)) & 15;
                ulong folded = ReadLittle(ref Unsafe.Add(ref raw, difference)) & ~(ulong.MaxValue << (width << 3));
                address = (last + Zigzag.Decode(folded)) & MemoryReference.AddressMask;
                last = address;
                last = ref Unsafe.Add(ref last, 1);
                int place = BitOperations.TrailingZeroCount(mask);
                Unsafe.Add(ref reference, place) = Unsafe.Add(ref cell, place) | address;
                dataIndex++;
                difference += width;
            }

            if (difference > _differenceEnd || dataIndex > _widthCount * 2)
            {
                return -1;
            }

            filled += phrase.Length;
        }

        _token = token;
        _difference = difference;
        _dataIndex = dataIndex;
        _lastData = address;
        return filled;
    }

    /// <summary>Copies four at a time: up to three past the end, which both sides have room for.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every phrase: bench TraceBenchmarks
    private static void CopyPhrase(ref ulong source, ref ulong destination, int length)
    {
        for (int i = 0; i < length; i += 4)
        {
            Unsafe.WriteUnaligned(
                ref Unsafe.As<ulong, byte>(ref Unsafe.Add(ref destination, i)),
                Unsafe.ReadUnaligned<System.Runtime.Intrinsics.Vector256<ulong>>(
                    ref Unsafe.As<ulong, byte>(ref Unsafe.Add(ref source, i))));
        }
    }

    private static ulong ReadLittle(ref byte source)
    {
        ulong value = Unsafe.ReadUnaligned<ulong>(ref source);
        return BitConverter.IsLittleEndian ? value : BinaryPrimitives.ReverseEndianness(value);
    }
}
