namespace MemVirt.Simulation.Traces.Mvt;

/// <summary>The columns of a block, in the order in which they lie in it.</summary>
internal enum MvtColumn
{
    /// <summary>A byte for each phrase defined: how many references it has.</summary>
    PhraseLengths,

    /// <summary>A byte for each reference of a phrase defined; see <see cref="PhraseShape"/>.</summary>
    Shapes,

    /// <summary>Two bytes for each reference of a phrase defined whose size is over 63.</summary>
    WideSizes,

    /// <summary>A varint for each phrase defined that has a fetch: where the first one lies, from the end of the last one defined.</summary>
    FetchStarts,

    /// <summary>Bits 7:0 of each token.</summary>
    TokensLow,

    /// <summary>Bits 15:8 of each token.</summary>
    TokensHigh,

    /// <summary>Four bits for each data reference: how many bytes its difference takes.</summary>
    Widths,

    /// <summary>The differences' bytes.</summary>
    Differences,
}

/// <summary>How many columns a block has and how long their table is.</summary>
internal static class MvtColumns
{
    /// <summary>Columns of a block.</summary>
    public const int Count = (int)MvtColumn.Differences + 1;

    /// <summary>Bytes of the table of their lengths, which precedes them.</summary>
    public const int TableBytes = Count * sizeof(uint);
}
