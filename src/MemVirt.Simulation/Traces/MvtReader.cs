using System.Buffers.Binary;

namespace MemVirt.Simulation.Traces;

/// <summary>Reads <c>.mvt</c> files. Whatever is damaged, the references before it come first, then a message with the place.</summary>
internal sealed class MvtReader : ITraceReader
{
    private readonly ByteInput _input;
    private readonly ZstdSharp.Decompressor _decompressor = new();
    private readonly MvtBlockCodec _codec = new();
    private readonly byte[] _header = new byte[MvtLayout.HeaderBytes];
    private readonly byte[] _raw = new byte[MvtBlockCodec.RawCapacity];
    private readonly MemoryReference[] _block = new MemoryReference[MvtLayout.BlockReferences];
    private byte[] _stored = new byte[1 << 16];
    private long _offset;
    private long _blocks;
    private long _decoded;
    private int _position;
    private int _filled;
    private bool _ended;

    /// <summary>A reader at the start of a file whose magic has been seen.</summary>
    internal MvtReader(ByteInput input)
    {
        _input = input;
        KnownReferences = input.CanSeek ? ReadTotal(input.Stream) : null;
        _offset = input.Fill(_header.AsSpan(0, MvtLayout.MagicBytes));
    }

    public string Path => _input.Path;

    public string Format => "mvt";

    public long? KnownReferences { get; }

    public double? FractionRead => _input.FractionRead;

    public int Read(Span<MemoryReference> destination)
    {
        int count = 0;
        while (count < destination.Length)
        {
            if (_position == _filled)
            {
                // References before the damage are handed out first, so a block is opened only when nothing else is left.
                if (_ended || count > 0 || !TryReadSection())
                {
                    break;
                }

                continue;
            }

            int take = Math.Min(destination.Length - count, _filled - _position);
            _block.AsSpan(_position, take).CopyTo(destination[count..]);
            _position += take;
            count += take;
        }

        return count;
    }

    public void Dispose()
    {
        _decompressor.Dispose();
        _input.Dispose();
    }

    /// <summary>The total in the index, if the end of the file looks like one; the index itself is checked when it is reached.</summary>
    private static long? ReadTotal(Stream file)
    {
        Span<byte> word = stackalloc byte[8];
        long? total = null;
        if (file.Length > MvtLayout.MagicBytes + MvtLayout.HeaderBytes + 16)
        {
            file.Position = file.Length - 8;
            file.ReadExactly(word);
            long back = BinaryPrimitives.ReadInt64LittleEndian(word);
            long start = file.Length - 8 - back + MvtLayout.HeaderBytes;
            if (back >= MvtLayout.HeaderBytes + 8 && back < file.Length - MvtLayout.MagicBytes - 8)
            {
                file.Position = start;
                file.ReadExactly(word);
                total = Math.Max(0, BinaryPrimitives.ReadInt64LittleEndian(word));
            }

            file.Position = 0;
        }

        return total;
    }

    /// <summary>Reads the next block, or the index at the end; false at the end.</summary>
    private bool TryReadSection()
    {
        int got = _input.Fill(_header);
        if (got < MvtLayout.HeaderBytes)
        {
            throw Damaged("the file ends before its index, it was cut off");
        }

        uint kind = BinaryPrimitives.ReadUInt32LittleEndian(_header);
        int items = BinaryPrimitives.ReadInt32LittleEndian(_header.AsSpan(4));
        int rawBytes = BinaryPrimitives.ReadInt32LittleEndian(_header.AsSpan(8));
        int storedBytes = BinaryPrimitives.ReadInt32LittleEndian(_header.AsSpan(12));
        bool isIndex = kind == MvtLayout.IndexKind;
        bool sensible = isIndex
            ? items == _blocks && rawBytes == storedBytes && storedBytes == 8 + ((long)items * MvtLayout.IndexEntryBytes)
            : kind == MvtLayout.BlockKind && items is > 0 and <= MvtLayout.BlockReferences
              && rawBytes > MvtBlockCodec.LengthsBytes && rawBytes <= MvtBlockCodec.RawCapacity - 8
              && storedBytes > 0 && storedBytes <= ZstdSharp.Compressor.GetCompressBound(rawBytes);
        if (!sensible)
        {
            throw Damaged("a header makes no sense");
        }

        if (_stored.Length < storedBytes)
        {
            _stored = new byte[storedBytes];
        }

        Span<byte> stored = _stored.AsSpan(0, storedBytes);
        if (_input.Fill(stored) < storedBytes)
        {
            throw Damaged("the file ends in the middle of a block, it was cut off");
        }

        if (MvtLayout.Checksum(_header.AsSpan(0, 16), stored) != BinaryPrimitives.ReadUInt64LittleEndian(_header.AsSpan(16)))
        {
            throw Damaged("a checksum is wrong");
        }

        if (isIndex)
        {
            CheckEnd(stored);
            return false;
        }

        Decode(stored, items, rawBytes);
        _offset += MvtLayout.HeaderBytes + storedBytes;
        return true;
    }

    private void Decode(ReadOnlySpan<byte> stored, int items, int rawBytes)
    {
        bool good;
        try
        {
            good = _decompressor.Unwrap(stored, _raw.AsSpan(0, rawBytes)) == rawBytes
                   && _codec.TryDecode(_raw, rawBytes, _block.AsSpan(0, items));
        }
        catch (ZstdSharp.ZstdException)
        {
            good = false;
        }

        if (!good)
        {
            throw Damaged("a block does not decode");
        }

        _blocks++;
        _decoded += items;
        _position = 0;
        _filled = items;
    }

    private void CheckEnd(ReadOnlySpan<byte> index)
    {
        if (BinaryPrimitives.ReadInt64LittleEndian(index) != _decoded)
        {
            throw Damaged("the index does not agree with the blocks");
        }

        Span<byte> tail = stackalloc byte[9];
        if (_input.Fill(tail) != 8 || BinaryPrimitives.ReadInt64LittleEndian(tail) != index.Length + MvtLayout.HeaderBytes)
        {
            throw Damaged("the end is not that of the index");
        }

        _ended = true;
        if (_decoded == 0)
        {
            throw new TraceException($"{Path}: holds no references; record or convert it again");
        }
    }

    private TraceException Damaged(string what) => new(
        $"{Path}: damaged at byte {_offset}: {what}; "
        + (_decoded > 0 ? $"the first {_decoded} references are intact: --refs {_decoded} uses them" : "nothing before it is usable; fetch or record it again"));
}
