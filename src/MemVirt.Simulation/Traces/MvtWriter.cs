using System.Buffers.Binary;
using System.IO.Hashing;
using MemVirt.Simulation.Traces.Mvt;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace MemVirt.Simulation.Traces;

/// <summary>
/// Writes a <c>.mvt</c> trace to any stream, also one that cannot seek, in fixed memory but for 32 bytes of index for every
/// 65,536 references. A file on which <see cref="Complete"/> was not called is recognised as cut short.
/// </summary>
public sealed class MvtWriter : IDisposable
{
    /// <summary>The zstd level for writing while a program runs: some 50 million references a second.</summary>
    public const int FastLevel = 3;

    /// <summary>The zstd level for a file that is written once and kept.</summary>
    public const int SmallLevel = 19;

    private const int WindowLog2 = 22;

    private readonly Stream _output;
    private readonly bool _leaveOpen;
    private readonly Compressor _compressor;
    private readonly MvtBlockEncoder _encoder = new();
    private readonly byte[] _raw = new byte[MvtFormat.MaxRawBytes];
    private readonly byte[] _block = new byte[MvtBlockHeader.Bytes + MvtFormat.MaxCompressedBytes + MvtBlockHeader.HashBytes];
    private readonly List<MvtIndexEntry> _index = [];
    private long _offset;
    private int _blocksInChapter;
    private bool _isComplete;

    /// <summary>A writer that has written the file's header.</summary>
    /// <param name="output">Where the trace goes.</param>
    /// <param name="level">The zstd level, 1 to 19; <see cref="FastLevel"/> or <see cref="SmallLevel"/>.</param>
    /// <param name="leaveOpen">Whether <see cref="Dispose"/> leaves <paramref name="output"/> open.</param>
    public MvtWriter(Stream output, int level = FastLevel, bool leaveOpen = false)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentOutOfRangeException.ThrowIfLessThan(level, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(level, SmallLevel);
        _output = output;
        _leaveOpen = leaveOpen;
        _compressor = new Compressor(level);
        _compressor.SetParameter(ZSTD_cParameter.ZSTD_c_windowLog, WindowLog2);
        MvtFrames.WriteFileHeader(_block);
        Write(_block.AsSpan(0, MvtFormat.FileHeaderBytes));
    }

    /// <summary>References appended so far.</summary>
    public long References { get; private set; }

    /// <summary>Bytes written so far; a block is written when it is full.</summary>
    public long BytesWritten => _offset;

    /// <summary>Appends references, of which each is valid in the sense of <see cref="MemoryReference.IsValid"/>.</summary>
    /// <exception cref="IOException">The output cannot be written.</exception>
    public void Append(ReadOnlySpan<MemoryReference> references)
    {
        ObjectDisposedException.ThrowIf(_isComplete, this);
        References += references.Length;
        while (!references.IsEmpty)
        {
            references = references[_encoder.Append(references)..];
            if (!references.IsEmpty)
            {
                WriteBlock(isLast: false);
            }
        }
    }

    /// <summary>Writes what is still held, the index and the trailer, and flushes the output. Nothing can be appended after it.</summary>
    /// <exception cref="IOException">The output cannot be written.</exception>
    public void Complete()
    {
        if (_isComplete)
        {
            return;
        }

        _encoder.EndPhrase();
        if (_encoder.References > 0)
        {
            WriteBlock(isLast: true);
        }

        WriteIndex();
        _output.Flush();
        _isComplete = true;
    }

    /// <summary>Releases the buffers; without <see cref="Complete"/> the file stays cut short.</summary>
    public void Dispose()
    {
        _isComplete = true;
        _compressor.Dispose();
        if (!_leaveOpen)
        {
            _output.Dispose();
        }
    }

    private void WriteBlock(bool isLast)
    {
        bool startsChapter = _blocksInChapter++ == 0;
        bool endsChapter = isLast || _blocksInChapter == MvtFormat.ChapterBlocks || _encoder.BookIsFull;
        int references = _encoder.References;
        int fetches = _encoder.CountOf(ReferenceKind.Fetch);
        int loads = _encoder.CountOf(ReferenceKind.Load);
        long first = _index.Count == 0 ? 0 : _index[^1].FirstReference + _index[^1].References;
        int rawBytes = _encoder.Finish(_raw);
        int compressedBytes = Compress(_raw.AsSpan(0, rawBytes), _block.AsSpan(MvtBlockHeader.Bytes), endsChapter);
        var header = new MvtBlockHeader(startsChapter, first, references, fetches, loads, rawBytes, compressedBytes);
        header.Write(_block);
        int hashed = MvtBlockHeader.Bytes + compressedBytes;
        BinaryPrimitives.WriteUInt64LittleEndian(_block.AsSpan(hashed), XxHash3.HashToUInt64(_block.AsSpan(0, hashed)));
        _index.Add(MvtIndexEntry.Of(header, _offset));
        Write(_block.AsSpan(0, hashed + MvtBlockHeader.HashBytes));
        if (endsChapter)
        {
            _compressor.ResetStream();
            _encoder.StartChapter();
            _blocksInChapter = 0;
        }
    }

    /// <summary>Compresses a block whole: the frame goes on with the chapter's next block, or ends.</summary>
    private int Compress(ReadOnlySpan<byte> raw, Span<byte> destination, bool endsFrame)
    {
        _compressor.WrapStream(raw, destination, out int consumed, out int written, endsFrame);
        if (!endsFrame)
        {
            _compressor.FlushStream(destination[written..], out int flushed);
            written += flushed;
        }

        return consumed == raw.Length
            ? written
            : throw new InvalidOperationException($"zstd took {consumed} of {raw.Length} bytes of a block");
    }

    private void WriteIndex()
    {
        long indexOffset = _offset;
        var hash = new XxHash3();
        Span<byte> header = stackalloc byte[MvtFrames.IndexHeaderBytes];
        MvtFrames.WriteIndexHeader(header, _index.Count);
        Write(header);
        Span<byte> bytes = stackalloc byte[MvtIndexEntry.Bytes];
        foreach (MvtIndexEntry entry in _index)
        {
            entry.Write(bytes);
            hash.Append(bytes);
            Write(bytes);
        }

        hash.Append(header);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, hash.GetCurrentHashAsUInt64());
        Write(bytes[..sizeof(ulong)]);
        MvtFrames.WriteTrailer(bytes, indexOffset, References);
        Write(bytes[..MvtFormat.TrailerBytes]);
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        _output.Write(bytes);
        _offset += bytes.Length;
    }
}
