namespace MemVirt.Simulation.Traces.Mvt;

/// <summary>
/// The constants of the <c>.mvt</c> layout; <c>docs/mvt-format.md</c> describes it. All integers are little-endian.
/// </summary>
internal static class MvtFormat
{
    /// <summary>The version this code writes and the only one it reads.</summary>
    public const int Version = 1;

    /// <summary>Bytes of the file header: magic, version, length of the header, reserved, hash.</summary>
    public const int FileHeaderBytes = 32;

    /// <summary>Bytes of the trailer that ends a complete file.</summary>
    public const int TrailerBytes = 32;

    /// <summary>A block is closed at the first end of a phrase at or past this many references.</summary>
    public const int BlockReferences = 1 << 16;

    /// <summary>The most references a phrase holds: one 64-bit mask says which of them are data.</summary>
    public const int PhraseReferences = 64;

    /// <summary>The most references a block holds.</summary>
    public const int MaxBlockReferences = BlockReferences + PhraseReferences;

    /// <summary>Blocks that share one phrase book and one zstd frame; reading can start at the first of them.</summary>
    public const int ChapterBlocks = 64;

    /// <summary>The most phrases a chapter defines: a token has 16 bits.</summary>
    public const int MaxPhrases = 1 << 16;

    /// <summary>The most references all phrases of a chapter hold together.</summary>
    public const int MaxPhraseBookReferences = 1 << 19;

    /// <summary>An upper bound of a block's columns before compression, whatever it holds.</summary>
    public const int MaxRawBytes = 1 << 21;

    /// <summary>An upper bound of a block's compressed columns.</summary>
    public const int MaxCompressedBytes = MaxRawBytes + (MaxRawBytes >> 6) + 1024;

    /// <summary>The first eight bytes: not text, and changed by transfers that mend line ends.</summary>
    public static ReadOnlySpan<byte> FileMagic => [0x8D, (byte)'M', (byte)'V', (byte)'T', 0x0D, 0x0A, 0x1A, 0x0A];

    /// <summary>The first four bytes of a block.</summary>
    public static ReadOnlySpan<byte> BlockMagic => "mvtB"u8;

    /// <summary>The first four bytes of the index.</summary>
    public static ReadOnlySpan<byte> IndexMagic => "mvtI"u8;

    /// <summary>The last eight bytes of a complete file.</summary>
    public static ReadOnlySpan<byte> EndMagic => "mvtEnd\r\n"u8;
}
