namespace MemVirt.Simulation.Traces.Input;

/// <summary>
/// The compressed bytes under an <see cref="XzStream"/>: buffered, because LZMA takes them one by one, and never ending
/// quietly, because its decoder takes the end of the file for data.
/// </summary>
internal sealed class XzInput(Stream file) : ReadOnlyStream
{
    private readonly byte[] _buffer = new byte[64 * 1024];
    private int _start;
    private int _end;

    /// <summary>Bytes taken so far.</summary>
    public long BytesTaken { get; private set; }

    /// <summary>Whether the file has been used up.</summary>
    public bool IsAtEnd => !TryFill();

    /// <summary>The byte that comes next; meaningful only where <see cref="IsAtEnd"/> has just said that there is one.</summary>
    public byte NextByte => _buffer[_start];

    /// <inheritdoc/>
    public override int ReadByte() => TakeByte();

    /// <summary>Takes the next byte.</summary>
    /// <exception cref="EndOfStreamException">There is none.</exception>
    public byte TakeByte()
    {
        if (_start == _end && !TryFill())
        {
            throw new EndOfStreamException();
        }

        BytesTaken++;
        return _buffer[_start++];
    }

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        if (buffer.IsEmpty)
        {
            return 0;
        }

        if (!TryFill())
        {
            throw new EndOfStreamException();
        }

        int taken = Math.Min(buffer.Length, _end - _start);
        _buffer.AsSpan(_start, taken).CopyTo(buffer);
        _start += taken;
        BytesTaken += taken;
        return taken;
    }

    /// <summary>Takes exactly as many bytes as asked for.</summary>
    public void Take(Span<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[Read(bytes)..];
        }
    }

    private bool TryFill()
    {
        if (_start == _end)
        {
            _start = 0;
            _end = file.Read(_buffer);
        }

        return _start < _end;
    }
}
