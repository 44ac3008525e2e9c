using MemVirt.Cli.Output;

namespace MemVirt.Cli.Consoles;

/// <summary>
/// Bytes on their way to a stream: a thread writes whatever has gathered while it wrote before, so that single bytes appear at once and
/// many cost little.
/// </summary>
internal sealed class ConsoleOutput : IDisposable
{
    private const int CapacityBytes = 1 << 16;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly Stream _stream;
    private readonly object _changing = new();
    private byte[] _gathering = new byte[CapacityBytes];
    private byte[] _written = new byte[CapacityBytes];
    private int _count;
    private bool _isWriting;
    private bool _isClosed;
    private bool _dropsWhatDoesNotFit;

    internal ConsoleOutput(Stream stream)
    {
        _stream = stream;
        new Thread(Drain) { IsBackground = true, Name = "guest output" }.Start();
    }

    /// <summary>Why nothing more can be written; null while it can.</summary>
    internal Exception? Failure { get; private set; }

    internal void Write(byte value)
    {
        lock (_changing)
        {
            while (_count == CapacityBytes && !_dropsWhatDoesNotFit && Failure is null)
            {
                Monitor.Wait(_changing);
            }

            if (_count < CapacityBytes && Failure is null)
            {
                _gathering[_count++] = value;
                if (_count == 1)
                {
                    Monitor.PulseAll(_changing);
                }
            }
        }
    }

    /// <summary>From now on nobody waits for a reader that is behind.</summary>
    internal void DropWhatDoesNotFit()
    {
        lock (_changing)
        {
            _dropsWhatDoesNotFit = true;
            Monitor.PulseAll(_changing);
        }
    }

    /// <summary>Waits until all is written, for a second at most.</summary>
    internal void Flush()
    {
        long start = Environment.TickCount64;
        lock (_changing)
        {
            while ((_count > 0 || _isWriting) && Failure is null)
            {
                TimeSpan left = Patience - TimeSpan.FromMilliseconds(Environment.TickCount64 - start);
                if (left <= TimeSpan.Zero || !Monitor.Wait(_changing, left))
                {
                    return;
                }
            }
        }
    }

    public void Dispose()
    {
        Flush();
        lock (_changing)
        {
            _isClosed = true;
            Monitor.PulseAll(_changing);
        }
    }

    private void Drain()
    {
        while (NextPiece() is { Length: > 0 } piece)
        {
            Exception? failure = null;
            try
            {
                _stream.Write(piece.Span);
                _stream.Flush();
            }
            catch (Exception exception) when (exception is IOException or OutputException or ObjectDisposedException)
            {
                failure = exception;
            }

            lock (_changing)
            {
                _isWriting = false;
                Failure = failure;
                Monitor.PulseAll(_changing);
                if (failure is not null)
                {
                    return;
                }
            }
        }
    }

    /// <summary>What has gathered; nothing where the output is closed.</summary>
    private ReadOnlyMemory<byte> NextPiece()
    {
        lock (_changing)
        {
            while (_count == 0 && !_isClosed)
            {
                Monitor.Wait(_changing);
            }

            (_gathering, _written) = (_written, _gathering);
            ReadOnlyMemory<byte> piece = _written.AsMemory(0, _count);
            _count = 0;
            _isWriting = !piece.IsEmpty;
            Monitor.PulseAll(_changing);
            return piece;
        }
    }
}
