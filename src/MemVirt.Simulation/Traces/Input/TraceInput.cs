namespace MemVirt.Simulation.Traces.Input;

/// <summary>
/// The file or pipe under a reader, as it is on disk: counts what has been read and reports a failing read as a line for the
/// user.
/// </summary>
internal sealed class TraceInput : ReadOnlyStream
{
    private readonly Stream _file;
    private readonly long _start;
    private readonly long? _lengthBytes;

    /// <summary>An input that owns <paramref name="file"/>.</summary>
    public TraceInput(string path, Stream file)
    {
        TracePath = path;
        _file = file;
        if (file.CanSeek)
        {
            _start = file.Position;
            _lengthBytes = file.Length - _start;
        }
    }

    /// <summary>The path as the user gave it.</summary>
    public string TracePath { get; }

    /// <summary>Bytes read so far.</summary>
    public long BytesRead { get; private set; }

    /// <summary>The share of the input that has been read, where its length is known.</summary>
    public double? FractionRead
        => _lengthBytes is > 0 and long length ? Math.Min(1, BytesRead / (double)length) : null;

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        try
        {
            int read = _file.Read(buffer);
            BytesRead += read;
            return read;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new TraceException(
                $"{TracePath}: reading fails after byte {BytesRead}: {failure.Message}; copy the file to a sound disk and try again",
                failure);
        }
    }

    /// <summary>
    /// Reads the last bytes of a file that can seek and goes back; false where it cannot or is too short.
    /// </summary>
    public bool TryReadEnd(Span<byte> buffer)
    {
        if (_lengthBytes is not long length || length < buffer.Length)
        {
            return false;
        }

        try
        {
            long position = _file.Position;
            _file.Position = _start + length - buffer.Length;
            int read = _file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            _file.Position = position;
            return read == buffer.Length;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _file.Dispose();
        }

        base.Dispose(disposing);
    }
}
