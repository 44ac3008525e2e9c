using SharpCompress.Compressors.Xz;

namespace MemVirt.Simulation.Traces;

/// <summary>An xz stream whose end is checked: one that stops before its footer is damaged, not short.</summary>
internal sealed class CheckedXzStream(Stream compressed) : Stream
{
    private const int TailBytes = 2;
    private readonly TailKeepingStream _tail = new(compressed);
    private XZStream? _decoder;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count)
    {
        _decoder ??= new XZStream(_tail);
        int read = _decoder.Read(buffer, offset, count);
        if (read == 0 && count > 0 && !_tail.EndsWith((byte)'Y', (byte)'Z'))
        {
            throw new InvalidDataException("the xz stream has no footer");
        }

        return read;
    }

    public override int Read(Span<byte> buffer)
    {
        byte[] rented = System.Buffers.ArrayPool<byte>.Shared.Rent(buffer.Length);
        try
        {
            int read = Read(rented, 0, buffer.Length);
            rented.AsSpan(0, read).CopyTo(buffer);
            return read;
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(rented);
        }
    }

    public override void Flush()
    {
        // Nothing is written.
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _decoder?.Dispose();
            compressed.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>Passes bytes through and remembers the last two.</summary>
    private sealed class TailKeepingStream(Stream source) : Stream
    {
        private readonly byte[] _last = new byte[TailBytes];
        private long _count;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => _count;
            set => throw new NotSupportedException();
        }

        public bool EndsWith(byte first, byte second) => _last[0] == first && _last[1] == second;

        public override int Read(byte[] buffer, int offset, int count)
        {
            int read = source.Read(buffer, offset, count);
            for (int i = Math.Max(0, read - TailBytes); i < read; i++)
            {
                (_last[0], _last[1]) = (_last[1], buffer[offset + i]);
            }

            _count += read;
            return read;
        }

        public override int ReadByte()
        {
            int value = source.ReadByte();
            if (value >= 0)
            {
                (_last[0], _last[1]) = (_last[1], (byte)value);
                _count++;
            }

            return value;
        }

        public override void Flush()
        {
            // Nothing is written.
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
