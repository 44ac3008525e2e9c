namespace MemVirt.Simulation.Traces.Input;

/// <summary>
/// A decompressor whose failures, of whatever type its library throws, become one line for the user. It is asked for small
/// pieces, so that what precedes the damage is not lost with it.
/// </summary>
internal sealed class DecompressedStream(Stream decompressor, TraceInput input, string method) : ReadOnlyStream
{
    private const int PieceBytes = 16 * 1024;

    private TraceException? _damage;

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        int filled = 0;
        while (filled < buffer.Length && _damage is null)
        {
            int read = ReadPiece(buffer.Slice(filled, Math.Min(PieceBytes, buffer.Length - filled)));
            if (read == 0)
            {
                break;
            }

            filled += read;
        }

        return filled > 0 || _damage is null ? filled : throw _damage;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            decompressor.Dispose();
            input.Dispose();
        }

        base.Dispose(disposing);
    }

    private int ReadPiece(Span<byte> piece)
    {
        try
        {
            return decompressor.Read(piece);
        }
        catch (TraceException failure)
        {
            _damage = failure;
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            // Decompressors throw what their author thought of, down to IndexOutOfRangeException: all of it is bad data here.
            string what = failure is EndOfStreamException ? "is cut short" : "is damaged";
            string why = failure is NotSupportedException ? $": {failure.Message}" : string.Empty;
            _damage = new TraceException(
                $"{input.TracePath}: the {method} data {what} near byte {input.BytesRead}{why}; get the file again, or check it with `{method} -t`",
                failure);
        }

        return 0;
    }
}
