using System.Buffers.Binary;
using System.IO.Hashing;
using SharpCompress.Compressors.LZMA;

namespace MemVirt.Simulation.Traces.Input;

/// <summary>
/// Decompresses .xz. The LZMA2 data are SharpCompress's work; the container around them is read here, because its own
/// reader verifies neither the blocks' checks nor the index, stops after the first of several streams, and takes a file
/// that is cut short for one that ends.
/// </summary>
internal sealed class XzStream : ReadOnlyStream
{
    private readonly XzInput _input;
    private readonly XxHash3 _blocksSeen = new();
    private XzCheck? _check;
    private LzmaStream? _data;
    private XzBlockHeader _block;
    private ushort _streamFlags;
    private long _blockCount;
    private long _headerStart;
    private long _dataStart;
    private long _uncompressedBytes;
    private bool _isAtEnd;

    /// <summary>A stream over a file that starts with the magic of .xz.</summary>
    public XzStream(Stream file) => _input = new XzInput(file);

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        while (!_isAtEnd && !buffer.IsEmpty)
        {
            if (_check is null)
            {
                StartStream();
            }

            if (_data is null && !TryStartBlock())
            {
                EndStream();
                continue;
            }

            int read = _data!.Read(buffer);
            if (read > 0)
            {
                _check!.Append(buffer[..read]);
                _uncompressedBytes += read;
                return read;
            }

            EndBlock();
        }

        return 0;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _data?.Dispose();
            _check?.Dispose();
        }

        base.Dispose(disposing);
    }

    private void StartStream()
    {
        Span<byte> header = stackalloc byte[XzFormat.StreamFrameBytes];
        _input.Take(header);
        Require(header.StartsWith(XzFormat.StreamMagic));
        Require(Crc32.HashToUInt32(header[6..8]) == BinaryPrimitives.ReadUInt32LittleEndian(header[8..]));
        Require(header[6] == 0 && header[7] < 16);
        _streamFlags = BinaryPrimitives.ReadUInt16LittleEndian(header[6..]);
        _check = new XzCheck(header[7]);
        _blockCount = 0;
        _blocksSeen.Reset();
    }

    /// <summary>Starts the next block; false where the index comes instead.</summary>
    private bool TryStartBlock()
    {
        _headerStart = _input.BytesTaken;
        byte sizeByte = _input.TakeByte();
        if (sizeByte == 0)
        {
            return false;
        }

        _block = XzBlockHeader.Read(_input, sizeByte);
        _dataStart = _input.BytesTaken;
        _uncompressedBytes = 0;
        _data = LzmaStream.Create([_block.DictionaryCode], _input, -1, -1, null, isLzma2: true, leaveOpen: true);
        return true;
    }

    private void EndBlock()
    {
        _data!.Dispose();
        _data = null;
        long compressed = _input.BytesTaken - _dataStart;
        Require(_block.CompressedBytes is null || _block.CompressedBytes == compressed);
        Require(_block.UncompressedBytes is null || _block.UncompressedBytes == _uncompressedBytes);
        long unpadded = _input.BytesTaken - _headerStart + _check!.Bytes;
        TakePadding(compressed);
        Span<byte> expected = stackalloc byte[_check.Bytes];
        _input.Take(expected);
        Require(_check.Matches(expected));
        Note(_blocksSeen, unpadded, _uncompressedBytes);
        _blockCount++;
    }

    /// <summary>Compares the index with the blocks seen, by hash: a file of many blocks takes no memory for them.</summary>
    private void EndStream()
    {
        var checksum = new Crc32();
        var listed = new XxHash3();
        checksum.Append([0]);
        long start = _input.BytesTaken - 1;
        Require(XzInteger.Take(_input, checksum) == _blockCount);
        for (long i = 0; i < _blockCount; i++)
        {
            Note(listed, XzInteger.Take(_input, checksum), XzInteger.Take(_input, checksum));
        }

        Require(listed.GetCurrentHashAsUInt64() == _blocksSeen.GetCurrentHashAsUInt64());
        int padding = TakePadding(_input.BytesTaken - start);
        checksum.Append(stackalloc byte[padding]);
        Span<byte> word = stackalloc byte[sizeof(uint)];
        _input.Take(word);
        Require(BinaryPrimitives.ReadUInt32LittleEndian(word) == checksum.GetCurrentHashAsUInt32());
        TakeFooter(_input.BytesTaken - start);
        TakeStreamPadding();
        _check!.Dispose();
        _check = null;
    }

    private void TakeFooter(long indexBytes)
    {
        Span<byte> footer = stackalloc byte[XzFormat.StreamFrameBytes];
        _input.Take(footer);
        Require(Crc32.HashToUInt32(footer[4..10]) == BinaryPrimitives.ReadUInt32LittleEndian(footer));
        Require((BinaryPrimitives.ReadUInt32LittleEndian(footer[4..]) + 1L) * 4 == indexBytes);
        Require(BinaryPrimitives.ReadUInt16LittleEndian(footer[8..]) == _streamFlags);
        Require(footer[10..].SequenceEqual(XzFormat.FooterMagic));
    }

    /// <summary>Zeros in fours may follow a stream, and then another stream (§2.2).</summary>
    private void TakeStreamPadding()
    {
        Span<byte> four = stackalloc byte[4];
        while (!(_isAtEnd = _input.IsAtEnd) && _input.NextByte == 0)
        {
            _input.Take(four);
            Require(!four.ContainsAnyExcept((byte)0));
        }
    }

    private int TakePadding(long unpaddedBytes)
    {
        int padding = (int)(-unpaddedBytes & 3);
        for (int i = 0; i < padding; i++)
        {
            Require(_input.TakeByte() == 0);
        }

        return padding;
    }

    private static void Note(XxHash3 hash, long unpaddedBytes, long uncompressedBytes)
    {
        Span<byte> entry = stackalloc byte[2 * sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(entry, unpaddedBytes);
        BinaryPrimitives.WriteInt64LittleEndian(entry[sizeof(long)..], uncompressedBytes);
        hash.Append(entry);
    }

    private static void Require(bool holds)
    {
        if (!holds)
        {
            throw new InvalidDataException();
        }
    }
}
