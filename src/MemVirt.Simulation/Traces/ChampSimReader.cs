using System.Buffers.Binary;

namespace MemVirt.Simulation.Traces;

/// <summary>
/// ChampSim's traces: records of 64 bytes, an instruction each: address, branch flags, registers, two store addresses at byte 16
/// and four load addresses at byte 32. They hold no sizes: every reference counts as one byte, so that no crossing is invented.
/// An instruction is its fetch, its loads, then its stores; an address of 0 means none.
/// </summary>
internal sealed class ChampSimReader(ByteInput input) : ITraceReader
{
    private const int RecordBytes = 64;
    private const int MostReferences = 7;
    private readonly byte[] _buffer = new byte[RecordBytes * 1024];
    private readonly MemoryReference[] _pending = new MemoryReference[MostReferences];
    private int _pendingStart;
    private int _pendingEnd;
    private int _position;
    private int _length;
    private long _records;

    public string Path => input.Path;

    public string Format => "champsim";

    public long? KnownReferences => null;

    public double? FractionRead => input.FractionRead;

    /// <summary>Whether a path's name says that it is a ChampSim trace; the format has no magic bytes.</summary>
    internal static bool Claims(string path)
    {
        string name = System.IO.Path.GetFileName(path);
        return name.Contains("champsim", StringComparison.OrdinalIgnoreCase)
               || name.EndsWith(".trace.xz", StringComparison.OrdinalIgnoreCase)
               || name.EndsWith(".trace.gz", StringComparison.OrdinalIgnoreCase);
    }

    public int Read(Span<MemoryReference> destination)
    {
        int count = 0;
        while (count < destination.Length)
        {
            if (_pendingStart < _pendingEnd)
            {
                destination[count++] = _pending[_pendingStart++];
            }
            else if (!ReadRecord())
            {
                break;
            }
        }

        return count;
    }

    public void Dispose() => input.Dispose();

    private bool ReadRecord()
    {
        if (_position == _length)
        {
            _length = input.Fill(_buffer);
            _position = 0;
            if (_length % RecordBytes != 0)
            {
                throw new TraceException(
                    $"{Path}: ends in the middle of record {_records + (_length / RecordBytes) + 1}; a ChampSim trace is records of 64 bytes");
            }

            if (_length == 0)
            {
                return false;
            }
        }

        ReadOnlySpan<byte> record = _buffer.AsSpan(_position, RecordBytes);
        _position += RecordBytes;
        _records++;
        _pendingStart = _pendingEnd = 0;
        Add(ReferenceKind.Fetch, BinaryPrimitives.ReadUInt64LittleEndian(record));
        for (int load = 0; load < 4; load++)
        {
            AddPresent(ReferenceKind.Load, BinaryPrimitives.ReadUInt64LittleEndian(record[(32 + (8 * load))..]));
        }

        for (int store = 0; store < 2; store++)
        {
            AddPresent(ReferenceKind.Store, BinaryPrimitives.ReadUInt64LittleEndian(record[(16 + (8 * store))..]));
        }

        return true;
    }

    private void AddPresent(ReferenceKind kind, ulong address)
    {
        if (address != 0)
        {
            Add(kind, address);
        }
    }

    private void Add(ReferenceKind kind, ulong address)
    {
        if (!MemoryReference.IsValid(address, 1))
        {
            throw new TraceException(
                $"{Path}: record {_records} has the address 0x{address:x}, which is not canonical; is this a ChampSim trace?");
        }

        _pending[_pendingEnd++] = new MemoryReference(kind, address, 1);
    }
}
