using System.Buffers;
using System.IO.Compression;

namespace MemVirt.Simulation.Traces.Input;

/// <summary>
/// Decompresses brotli and notices where it is cut short or something follows it, both of which
/// <see cref="BrotliStream"/> passes over. Brotli has no checksum: other damage shows only where it makes no sense.
/// </summary>
internal sealed class CheckedBrotliStream(Stream file) : ReadOnlyStream
{
    private readonly byte[] _buffer = new byte[64 * 1024];
    private BrotliDecoder _decoder;
    private int _start;
    private int _end;
    private bool _isAtEnd;

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        while (!_isAtEnd && !buffer.IsEmpty)
        {
            OperationStatus status = _decoder.Decompress(
                _buffer.AsSpan(_start, _end - _start), buffer, out int consumed, out int written);
            _start += consumed;
            switch (status)
            {
                case OperationStatus.InvalidData:
                    throw new InvalidDataException();
                case OperationStatus.Done when _start < _end || Fill():
                    throw new InvalidDataException();
                case OperationStatus.Done:
                    _isAtEnd = true;
                    break;
                case OperationStatus.NeedMoreData when written == 0 && !Fill():
                    throw new EndOfStreamException();
            }

            if (written > 0)
            {
                return written;
            }
        }

        return 0;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _decoder.Dispose();
        }

        base.Dispose(disposing);
    }

    private bool Fill()
    {
        _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
        _end -= _start;
        _start = 0;
        int read = file.Read(_buffer.AsSpan(_end));
        _end += read;
        return read > 0;
    }
}
