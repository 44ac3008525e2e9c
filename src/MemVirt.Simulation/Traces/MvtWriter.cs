using System.Buffers.Binary;

namespace MemVirt.Simulation.Traces;

/// <summary>
/// Writes <c>.mvt</c> files, streaming, in bounded memory but for 16 bytes a block of 65,536 references. A file that was not
/// completed reads as truncated.
/// </summary>
public sealed class MvtWriter : IDisposable
{
    /// <summary>The zstd level used where none is given: fast enough for recording.</summary>
    public const int DefaultLevel = 6;

    /// <summary>The highest zstd level.</summary>
    public const int MaxLevel = 22;

    private readonly Stream _output;
    private readonly ZstdSharp.Compressor _compressor;
    private readonly MvtBlockCodec _codec = new();
    private readonly MemoryReference[] _block = new MemoryReference[MvtLayout.BlockReferences];
    private readonly byte[] _raw = new byte[MvtBlockCodec.RawCapacity];
    private readonly byte[] _stored;
    private readonly List<(long Offset, long FirstReference)> _index = [];
    private int _filled;
    private long _offset;

    /// <summary>A writer over a stream, which it does not dispose.</summary>
    /// <param name="output">Where the file goes; it need not be seekable.</param>
    /// <param name="level">The zstd level, from 1 to <see cref="MaxLevel"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The level is none.</exception>
    public MvtWriter(Stream output, int level = DefaultLevel)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(level, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(level, MaxLevel);
        _output = output;
        _compressor = new ZstdSharp.Compressor(level);
        _stored = new byte[ZstdSharp.Compressor.GetCompressBound(_raw.Length)];
        Emit(MvtLayout.Magic);
    }

    /// <summary>References appended so far.</summary>
    public long References { get; private set; }

    /// <summary>Appends references.</summary>
    public void Append(ReadOnlySpan<MemoryReference> references)
    {
        while (references.Length > 0)
        {
            int count = Math.Min(references.Length, _block.Length - _filled);
            references[..count].CopyTo(_block.AsSpan(_filled));
            references = references[count..];
            _filled += count;
            References += count;
            if (_filled == _block.Length)
            {
                WriteBlock();
            }
        }
    }

    /// <summary>Writes what is left and the index; nothing may be appended after it.</summary>
    public void Complete()
    {
        if (_filled > 0)
        {
            WriteBlock();
        }

        byte[] index = new byte[8 + (_index.Count * MvtLayout.IndexEntryBytes)];
        BinaryPrimitives.WriteInt64LittleEndian(index, References);
        for (int i = 0; i < _index.Count; i++)
        {
            Span<byte> entry = index.AsSpan(8 + (i * MvtLayout.IndexEntryBytes));
            BinaryPrimitives.WriteInt64LittleEndian(entry, _index[i].Offset);
            BinaryPrimitives.WriteInt64LittleEndian(entry[8..], _index[i].FirstReference);
        }

        WriteSection(MvtLayout.IndexKind, _index.Count, index.Length, index);
        Span<byte> tail = stackalloc byte[MvtLayout.HeaderBytes - 16];
        BinaryPrimitives.WriteInt64LittleEndian(tail, index.Length + MvtLayout.HeaderBytes);
        Emit(tail);
        _output.Flush();
    }

    /// <inheritdoc/>
    public void Dispose() => _compressor.Dispose();

    private void WriteBlock()
    {
        int rawBytes = _codec.Encode(_block.AsSpan(0, _filled), _raw);
        int stored = _compressor.Wrap(_raw.AsSpan(0, rawBytes), _stored);
        _index.Add((_offset, References - _filled));
        WriteSection(MvtLayout.BlockKind, _filled, rawBytes, _stored.AsSpan(0, stored));
        _filled = 0;
    }

    private void WriteSection(uint kind, int items, int rawBytes, ReadOnlySpan<byte> stored)
    {
        Span<byte> header = stackalloc byte[MvtLayout.HeaderBytes];
        MvtLayout.WriteHeader(header, kind, items, rawBytes, stored);
        Emit(header);
        Emit(stored);
    }

    private void Emit(ReadOnlySpan<byte> bytes)
    {
        _output.Write(bytes);
        _offset += bytes.Length;
    }
}
