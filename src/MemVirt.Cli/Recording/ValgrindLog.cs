using System.Diagnostics;
using System.Net.Sockets;

namespace MemVirt.Cli.Recording;

/// <summary>
/// Valgrind's log as it comes over a socket. It ends when valgrind closes it, or when the program has ended and nothing more
/// comes: a child that outlives the program may keep the socket open for ever.
/// </summary>
internal sealed class ValgrindLog(Socket socket, Process process, CancellationToken cancellation) : Stream
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(200);

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            bool hadEnded = process.HasExited;
            if (socket.Poll(Patience, SelectMode.SelectRead))
            {
                return Receive(buffer);
            }

            if (hadEnded)
            {
                return 0;
            }
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private int Receive(Span<byte> buffer)
    {
        try
        {
            return socket.Receive(buffer);
        }
        catch (SocketException exception) when (exception.SocketErrorCode == SocketError.ConnectionReset)
        {
            return 0;
        }
    }
}
