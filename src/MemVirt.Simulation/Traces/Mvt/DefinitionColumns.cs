using System.Buffers.Binary;

namespace MemVirt.Simulation.Traces.Mvt;

/// <summary>A cursor over the four columns that define a block's new phrases; every take checks that there is something to take.</summary>
internal struct DefinitionColumns(byte[] raw, Range lengths, Range shapes, Range wideSizes, Range fetchStarts)
{
    private ColumnCursor _lengths = new(lengths);
    private ColumnCursor _shapes = new(shapes);
    private ColumnCursor _wideSizes = new(wideSizes);
    private ColumnCursor _fetchStarts = new(fetchStarts);

    /// <summary>Whether all four columns have been used up.</summary>
    public readonly bool IsAtEnd
        => _lengths.Left == 0 && _shapes.Left == 0 && _wideSizes.Left == 0 && _fetchStarts.Left == 0;

    /// <summary>Takes the length of the next phrase, 1 to 64.</summary>
    public bool TryTakeLength(out int length)
    {
        length = _lengths.Left > 0 ? raw[_lengths.Position++] : 0;
        return length is >= 1 and <= MvtFormat.PhraseReferences;
    }

    /// <summary>Takes the kind and size of the next reference of a phrase.</summary>
    public bool TryTakeShape(out ReferenceKind kind, out int size)
    {
        byte shape = _shapes.Left > 0 ? raw[_shapes.Position++] : (byte)3;
        kind = (ReferenceKind)PhraseShape.Kind(shape);
        size = PhraseShape.Size(shape);
        if (size == 0 && _wideSizes.Left >= sizeof(ushort))
        {
            size = BinaryPrimitives.ReadUInt16LittleEndian(raw.AsSpan(_wideSizes.Position));
            _wideSizes.Position += sizeof(ushort);
        }

        return kind <= ReferenceKind.Store && size is >= 1 and <= MemoryReference.MaxSizeBytes;
    }

    /// <summary>Takes the difference that leads to the first fetch of a phrase.</summary>
    public bool TryTakeFetchStart(out ulong difference)
    {
        ulong folded = 0;
        for (int shift = 0; shift < 56 && _fetchStarts.Left > 0; shift += 7)
        {
            byte next = raw[_fetchStarts.Position++];
            folded |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                difference = Zigzag.Decode(folded);
                return true;
            }
        }

        difference = 0;
        return false;
    }
}

/// <summary>A position in a column.</summary>
internal struct ColumnCursor(Range column)
{
    private readonly int _end = column.End.Value;

    /// <summary>Where the next byte lies.</summary>
    public int Position { get; set; } = column.Start.Value;

    /// <summary>Bytes not taken.</summary>
    public readonly int Left => _end - Position;
}
