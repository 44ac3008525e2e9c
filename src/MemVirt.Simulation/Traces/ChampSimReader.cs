using System.Buffers.Binary;
using MemVirt.Simulation.Traces.Input;

namespace MemVirt.Simulation.Traces;

/// <summary>
/// Reads a ChampSim trace: records of 64 bytes, each an instruction with up to four addresses it loads from and two it stores
/// to. The format has no sizes. Every reference is given one byte, so that no crossing of a page is invented that the
/// program may not have made. A record is a fetch, then its loads, then its stores, in the order of their slots.
/// </summary>
internal sealed class ChampSimReader : ITraceReader
{
    /// <summary>Bytes of a record.</summary>
    internal const int RecordBytes = 64;

    private const int StoreOffset = 16;
    private const int StoreSlots = 2;
    private const int LoadOffset = 32;
    private const int LoadSlots = 4;
    private const int MaxRecordReferences = 1 + LoadSlots + StoreSlots;
    private const int SizeBytes = 1;

    private readonly TraceInput _input;
    private readonly Stream _content;
    private readonly byte[] _buffer = new byte[RecordBytes * 4096];
    private readonly MemoryReference[] _left = new MemoryReference[MaxRecordReferences];
    private int _start;
    private int _end;
    private int _leftStart;
    private int _leftEnd;
    private long _records;
    private long _references;
    private TraceException? _failure;

    /// <summary>A reader over the records of a trace.</summary>
    public ChampSimReader(TraceInput input, Stream content)
    {
        _input = input;
        _content = content;
    }

    /// <inheritdoc/>
    public string Path => _input.TracePath;

    /// <inheritdoc/>
    public string Format => "champsim";

    /// <inheritdoc/>
    public long? KnownReferences => null;

    /// <inheritdoc/>
    public double? FractionRead => _input.FractionRead;

    /// <inheritdoc/>
    public int Read(Span<MemoryReference> destination)
    {
        int filled = 0;
        while (filled < destination.Length)
        {
            if (_leftStart < _leftEnd)
            {
                destination[filled++] = _left[_leftStart++];
                continue;
            }

            if (_start == _end && !Fill())
            {
                break;
            }

            _start += RecordBytes;
            Unpack(_buffer.AsSpan(_start - RecordBytes, RecordBytes));
        }

        _references += filled;
        if (filled == 0 && !destination.IsEmpty && _failure is not null)
        {
            throw _failure;
        }

        return filled;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _content.Dispose();
        _input.Dispose();
    }

    private bool Fill()
    {
        _start = _end = 0;
        if (_failure is not null)
        {
            return false;
        }

        int read;
        try
        {
            read = _content.ReadAtLeast(_buffer, _buffer.Length, throwOnEndOfStream: false);
        }
        catch (TraceException failure)
        {
            _failure = new TraceException(
                $"{failure.Message}; {_records} records came before that: --refs {_references} uses them", failure);
            return false;
        }

        _end = read - (read % RecordBytes);
        if (read != _end)
        {
            _failure = new TraceException(
                $"{Path}: is cut short: its last record, at offset {(_records * RecordBytes) + _end} of the decompressed trace, has "
                + $"{read - _end} of {RecordBytes} bytes; get the file again");
        }

        return _end > 0;
    }

    private void Unpack(ReadOnlySpan<byte> record)
    {
        _records++;
        _leftStart = _leftEnd = 0;
        if (!Add(ReferenceKind.Fetch, record)
            || !AddSlots(ReferenceKind.Load, record[LoadOffset..], LoadSlots)
            || !AddSlots(ReferenceKind.Store, record[StoreOffset..], StoreSlots))
        {
            // The whole record goes, and what comes after it: nothing behind damage can be trusted.
            _leftEnd = 0;
            _start = _end;
        }
    }

    private bool AddSlots(ReferenceKind kind, ReadOnlySpan<byte> slots, int count)
    {
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> slot = slots[(i * sizeof(ulong))..];
            if (BinaryPrimitives.ReadUInt64LittleEndian(slot) != 0 && !Add(kind, slot))
            {
                return false;
            }
        }

        return true;
    }

    private bool Add(ReferenceKind kind, ReadOnlySpan<byte> slot)
    {
        ulong address = BinaryPrimitives.ReadUInt64LittleEndian(slot);
        if (MemoryReference.IsValid(address, SizeBytes))
        {
            _left[_leftEnd++] = new MemoryReference(kind, address, SizeBytes);
            return true;
        }

        _failure = new TraceException(
            $"{Path}: record {_records} has the address 0x{address:x}, which is not canonical; is this a ChampSim trace? "
            + "A lackey trace must not be named as one");
        return false;
    }
}
