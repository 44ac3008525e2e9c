using System.Buffers.Binary;

namespace MemVirt.Simulation.Traces.Mvt;

/// <summary>
/// Turns references into the columns of a block. A phrase is a run of references whose fetches follow one another without a
/// gap; a program says the same phrases over and over, so each is defined once a chapter and then named by a token.
/// </summary>
internal sealed class MvtBlockEncoder
{
    private readonly Column[] _columns;
    private readonly PhraseBook _book = new();
    private readonly MemoryReference[] _phrase = new MemoryReference[MvtFormat.PhraseReferences];
    private readonly ulong[] _cells = new ulong[MvtFormat.PhraseReferences];
    private readonly int[] _counts = new int[3];
    private int _phraseLength;
    private ulong _nextFetch;
    private bool _phraseHasFetch;
    private ulong _definedFetchEnd;
    private ulong _lastData;
    private int _pendingWidth = -1;

    /// <summary>An encoder at the start of a chapter.</summary>
    public MvtBlockEncoder()
    {
        const int references = MvtFormat.MaxBlockReferences;
        _columns =
        [
            new Column(references), new Column(references), new Column(references * 2), new Column(references * 7),
            new Column(references), new Column(references), new Column((references + 1) / 2), new Column(references * 6),
        ];
    }

    /// <summary>References encoded into the block so far; those of an open phrase do not count.</summary>
    public int References { get; private set; }

    /// <summary>References of the open phrase.</summary>
    public int OpenReferences => _phraseLength;

    /// <summary>Whether the block must be closed before more is appended.</summary>
    public bool IsFull => References >= MvtFormat.BlockReferences || !_book.HasRoom;

    /// <summary>Whether the chapter cannot take another block.</summary>
    public bool BookIsFull => !_book.HasRoom;

    /// <summary>References of a kind in the block so far.</summary>
    public int CountOf(ReferenceKind kind) => _counts[(int)kind];

    /// <summary>Appends references until all are taken or the block is full; returns how many were taken.</summary>
    public int Append(ReadOnlySpan<MemoryReference> references)
    {
        for (int index = 0; index < references.Length; index++)
        {
            MemoryReference reference = references[index];
            bool isFetch = reference.Kind == ReferenceKind.Fetch;
            if (_phraseLength == MvtFormat.PhraseReferences
                || (isFetch && _phraseHasFetch && reference.LinearAddress48 != _nextFetch))
            {
                EndPhrase();
                if (IsFull)
                {
                    return index;
                }
            }

            _phrase[_phraseLength++] = reference;
            if (isFetch)
            {
                _phraseHasFetch = true;
                _nextFetch = (reference.LinearAddress48 + (ulong)reference.SizeBytes) & MemoryReference.AddressMask;
            }
        }

        return references.Length;
    }

    /// <summary>Ends the open phrase, if there is one.</summary>
    public void EndPhrase()
    {
        if (_phraseLength == 0)
        {
            return;
        }

        ReadOnlySpan<MemoryReference> phrase = _phrase.AsSpan(0, _phraseLength);
        Span<ulong> cells = _cells.AsSpan(0, _phraseLength);
        for (int i = 0; i < phrase.Length; i++)
        {
            cells[i] = PhraseBook.CellOf(phrase[i]);
        }

        int token = _book.Find(cells);
        if (token < 0)
        {
            token = _book.Add(cells, _lastData);
            Define(phrase);
        }

        this[MvtColumn.TokensLow].Add((byte)token);
        this[MvtColumn.TokensHigh].Add((byte)(token >> 8));
        AddDifferences(phrase, _book.LastAddresses(token));
        References += _phraseLength;
        _phraseLength = 0;
        _phraseHasFetch = false;
    }

    /// <summary>Writes the block's columns behind the table of their lengths and starts the next block; returns the bytes.</summary>
    public int Finish(Span<byte> destination)
    {
        if (_pendingWidth >= 0)
        {
            AddWidth(0);
        }

        int written = MvtColumns.TableBytes;
        for (int i = 0; i < _columns.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(destination[(i * sizeof(uint))..], (uint)_columns[i].Length);
            _columns[i].Bytes.CopyTo(destination[written..]);
            written += _columns[i].Length;
            _columns[i].Clear();
        }

        References = 0;
        Array.Clear(_counts);
        return written;
    }

    /// <summary>Forgets phrases and addresses: what follows can be read without what came before.</summary>
    public void StartChapter()
    {
        _book.Clear();
        _definedFetchEnd = 0;
        _lastData = 0;
    }

    private Column this[MvtColumn column] => _columns[(int)column];

    private void Define(ReadOnlySpan<MemoryReference> phrase)
    {
        this[MvtColumn.PhraseLengths].Add((byte)phrase.Length);
        bool hasFetch = false;
        foreach (MemoryReference reference in phrase)
        {
            this[MvtColumn.Shapes].Add(PhraseShape.Of(reference));
            if (reference.SizeBytes > PhraseShape.MaxNarrowSize)
            {
                this[MvtColumn.WideSizes].Add((ushort)reference.SizeBytes);
            }

            if (reference.Kind == ReferenceKind.Fetch && !hasFetch)
            {
                hasFetch = true;
                this[MvtColumn.FetchStarts].AddVarint(Zigzag.Encode(reference.LinearAddress48, _definedFetchEnd));
            }
        }

        if (hasFetch)
        {
            _definedFetchEnd = _nextFetch;
        }
    }

    private void AddDifferences(ReadOnlySpan<MemoryReference> phrase, Span<ulong> lastAddresses)
    {
        for (int i = 0; i < phrase.Length; i++)
        {
            MemoryReference reference = phrase[i];
            _counts[(int)reference.Kind]++;
            if (reference.Kind != ReferenceKind.Fetch)
            {
                ulong address = reference.LinearAddress48;
                AddWidth(this[MvtColumn.Differences].AddSignificant(Zigzag.Encode(address, lastAddresses[i])));
                lastAddresses[i] = address;
                _lastData = address;
            }
        }
    }

    private void AddWidth(int width)
    {
        if (_pendingWidth < 0)
        {
            _pendingWidth = width;
            return;
        }

        this[MvtColumn.Widths].Add((byte)(_pendingWidth | (width << 4)));
        _pendingWidth = -1;
    }
}
