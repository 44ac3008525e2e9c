using System.Buffers.Binary;
using System.IO.Hashing;
using MemVirt.Simulation.Traces.Input;
using MemVirt.Simulation.Traces.Mvt;

namespace MemVirt.Simulation.Traces;

/// <summary>
/// Reads a <c>.mvt</c> trace from front to back, also from a stream that cannot seek. A block is decoded only after its
/// checksum has been found right, and what follows the last one is checked before the end is reported.
/// </summary>
internal sealed class MvtReader : ITraceReader
{
    private readonly TraceInput _input;
    private readonly Stream _content;
    private readonly MvtBuffers _buffers = MvtBuffers.Rent();
    private readonly MvtBlockDecoder _decoder;
    private readonly MvtDecompressor _decompressor = new();
    private readonly XxHash3 _blocksSeen = new();
    private readonly byte[] _block;
    private long _offset;
    private long _blockOffset;
    private long _blocks;
    private long _references;
    private int _blockReferencesLeft;
    private bool _isAtEnd;
    private bool _isDisposed;
    private TraceException? _damage;

    /// <summary>A reader over the content of a file, whose header it reads and checks.</summary>
    public MvtReader(TraceInput input, Stream content, bool isCompressed)
    {
        _input = input;
        _content = content;
        _decoder = _buffers.Decoder;
        _block = _buffers.Block;
        ReadFileHeader();
        Span<byte> trailer = stackalloc byte[MvtFormat.TrailerBytes];
        if (!isCompressed && input.TryReadEnd(trailer) && MvtFrames.TryReadTrailer(trailer, out _, out long references))
        {
            KnownReferences = references;
        }
    }

    /// <inheritdoc/>
    public string Path => _input.TracePath;

    /// <inheritdoc/>
    public string Format => "mvt";

    /// <inheritdoc/>
    public long? KnownReferences { get; }

    /// <inheritdoc/>
    public double? FractionRead => KnownReferences is > 0 and long known ? _references / (double)known : _input.FractionRead;

    /// <inheritdoc/>
    public int Read(Span<MemoryReference> destination)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (destination.IsEmpty)
        {
            return 0;
        }

        while (_blockReferencesLeft == 0)
        {
            if (_isAtEnd)
            {
                return 0;
            }

            ReadNext();
        }

        int read = _decoder.Decode(destination);
        if (read <= 0 || read > _blockReferencesLeft)
        {
            throw Damage("its columns contradict each other");
        }

        _references += read;
        _blockReferencesLeft -= read;
        if (_blockReferencesLeft == 0 && !_decoder.IsUsedUp)
        {
            _damage = Damage("its columns contradict each other");
        }

        return read;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_isDisposed)
        {
            return;
        }

        _isDisposed = true;
        MvtBuffers.Return(_buffers);
        _decompressor.Dispose();
        _content.Dispose();
        _input.Dispose();
    }

    private void ReadFileHeader()
    {
        Span<byte> header = _block.AsSpan(0, MvtFormat.FileHeaderBytes);
        Take(header, "the file header");
        if (!MvtFrames.IsWholeFileHeader(header, out int version))
        {
            throw Damage("the file header is wrong");
        }

        if (version != MvtFormat.Version)
        {
            throw new TraceException(
                $"{Path}: is of .mvt version {version}, and this program reads version {MvtFormat.Version}; use the program that wrote it");
        }
    }

    /// <summary>Reads the next block, or the index and what follows it.</summary>
    private void ReadNext()
    {
        if (_damage is not null)
        {
            throw _damage;
        }

        try
        {
            _blockOffset = _offset;
            Span<byte> magic = _block.AsSpan(0, MvtFrames.IndexHeaderBytes);
            Take(magic, "a block");
            if (magic.StartsWith(MvtFormat.IndexMagic))
            {
                ReadIndex(magic);
                return;
            }

            ReadBlock();
        }
        catch (TraceException damage)
        {
            _damage = damage;
            throw;
        }
    }

    private void ReadBlock()
    {
        Take(_block.AsSpan(MvtFrames.IndexHeaderBytes..MvtBlockHeader.Bytes), "a block");
        if (!MvtBlockHeader.TryRead(_block, out MvtBlockHeader header))
        {
            throw Damage("a block's header is wrong");
        }

        int hashed = MvtBlockHeader.Bytes + header.CompressedBytes;
        Take(_block.AsSpan(MvtBlockHeader.Bytes..(hashed + MvtBlockHeader.HashBytes)), "a block");
        if (BinaryPrimitives.ReadUInt64LittleEndian(_block.AsSpan(hashed)) != XxHash3.HashToUInt64(_block.AsSpan(0, hashed)))
        {
            throw Damage("a block does not match its checksum");
        }

        if (header.FirstReference != _references || (_blocks == 0 && !header.StartsChapter))
        {
            throw Damage("a block is missing or out of its place");
        }

        if (header.StartsChapter)
        {
            _decompressor.StartFrame();
            _decoder.StartChapter();
        }

        if (!_decompressor.TryDecompress(_block.AsSpan(MvtBlockHeader.Bytes, header.CompressedBytes), _decoder.Raw, header.RawBytes)
            || !_decoder.TryStart(header.RawBytes))
        {
            throw Damage("a block's columns are malformed");
        }

        _blocks++;
        _blockReferencesLeft = header.References;
        Span<byte> entry = stackalloc byte[MvtIndexEntry.Bytes];
        MvtIndexEntry.Of(header, _blockOffset).Write(entry);
        _blocksSeen.Append(entry);
    }

    /// <summary>
    /// Compares the index with the blocks seen: it must be the one that their writer would have written, to the last bit. Only
    /// a hash of it is kept, so a long trace takes no memory for it.
    /// </summary>
    private void ReadIndex(ReadOnlySpan<byte> header)
    {
        Span<byte> expected = stackalloc byte[MvtFrames.IndexHeaderBytes];
        MvtFrames.WriteIndexHeader(expected, _blocks);
        if (!header.SequenceEqual(expected))
        {
            throw Damage("the index is wrong");
        }

        var listed = new XxHash3();
        Span<byte> bytes = stackalloc byte[MvtIndexEntry.Bytes];
        for (long i = 0; i < _blocks; i++)
        {
            Take(bytes, "the index");
            listed.Append(bytes);
        }

        listed.Append(expected);
        _blocksSeen.Append(expected);
        ulong hash = listed.GetCurrentHashAsUInt64();
        Take(bytes[..sizeof(ulong)], "the index");
        if (hash != _blocksSeen.GetCurrentHashAsUInt64() || hash != BinaryPrimitives.ReadUInt64LittleEndian(bytes))
        {
            throw Damage("the index is wrong");
        }

        ReadTrailer(bytes[..MvtFormat.TrailerBytes]);
        _isAtEnd = true;
    }

    private void ReadTrailer(Span<byte> trailer)
    {
        long indexOffset = _blockOffset;
        _blockOffset = _offset;
        Take(trailer, "the trailer");
        if (!MvtFrames.TryReadTrailer(trailer, out long listedOffset, out long references)
            || listedOffset != indexOffset || references != _references)
        {
            throw Damage("the trailer is wrong");
        }

        _blockOffset = _offset;
        if (_content.ReadByte() >= 0)
        {
            throw Damage("something follows the trailer");
        }

        if (_references == 0)
        {
            throw new TraceException($"{Path}: holds no references: record or convert the trace again");
        }
    }

    private void Take(Span<byte> bytes, string part)
    {
        int read;
        try
        {
            read = _content.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        }
        catch (TraceException failure)
        {
            throw new TraceException($"{failure.Message}; {Remedy()}", failure);
        }

        _offset += read;
        if (read < bytes.Length)
        {
            throw new TraceException($"{Path}: is cut short: it ends at offset {_offset}, within {part} or before one; {Remedy()}");
        }
    }

    private TraceException Damage(string what)
        => new($"{Path}: is damaged at offset {_blockOffset}: {what}; {Remedy()}");

    private string Remedy()
        => _references == 0
            ? "no references before that are intact: record or convert the trace again"
            : $"the first {_references} references are intact: --refs {_references} uses them";
}
