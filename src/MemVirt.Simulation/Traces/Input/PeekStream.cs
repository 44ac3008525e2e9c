namespace MemVirt.Simulation.Traces.Input;

/// <summary>A stream whose first bytes can be looked at before they are read, also where it cannot seek.</summary>
internal sealed class PeekStream(Stream inner) : ReadOnlyStream
{
    private const int HeadBytes = 64;

    private readonly byte[] _head = new byte[HeadBytes];
    private int _headStart;
    private int _headEnd;

    /// <summary>The first bytes, up to 64; fewer only where the stream holds no more. Asked for before anything is read.</summary>
    public ReadOnlySpan<byte> Peek()
    {
        if (_headEnd == 0)
        {
            _headEnd = inner.ReadAtLeast(_head, HeadBytes, throwOnEndOfStream: false);
        }

        return _head.AsSpan(_headStart, _headEnd - _headStart);
    }

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        if (_headStart == _headEnd)
        {
            return inner.Read(buffer);
        }

        int taken = Math.Min(buffer.Length, _headEnd - _headStart);
        _head.AsSpan(_headStart, taken).CopyTo(buffer);
        _headStart += taken;
        return taken;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }
}
