namespace MemVirt.Simulation.Traces;

/// <summary>Bytes of a trace, decompressed, with every way in which reading can fail told in one line.</summary>
internal sealed class ByteInput : IDisposable
{
    private readonly Stream _raw;
    private readonly Stream _decoded;

    internal ByteInput(Stream raw, Stream decoded, string path)
    {
        _raw = raw;
        _decoded = decoded;
        Path = path;
    }

    internal string Path { get; }

    /// <summary>How much of the file has been read, from 0 to 1, where its length is known.</summary>
    internal double? FractionRead => _raw is { CanSeek: true, Length: > 0 } ? (double)_raw.Position / _raw.Length : null;

    /// <summary>Whether the bytes can be read from any place: a plain file.</summary>
    internal bool CanSeek => ReferenceEquals(_raw, _decoded) && _raw.CanSeek;

    /// <summary>The plain file.</summary>
    internal Stream Stream => _decoded;

    /// <summary>The same input, its decoded bytes read through another stream.</summary>
    internal ByteInput Replay(Stream decoded) => new(_raw, decoded, Path);

    /// <summary>Fills as much of the buffer as there is; less than its length only at the end.</summary>
    internal int Fill(Span<byte> buffer)
    {
        int total = 0;
        while (total < buffer.Length)
        {
            int read = ReadSome(buffer[total..]);
            if (read == 0)
            {
                break;
            }

            total += read;
        }

        return total;
    }

    /// <summary>The next bytes, at least one unless at the end.</summary>
    internal int ReadSome(Span<byte> buffer)
    {
        try
        {
            return _decoded.Read(buffer);
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException or ZstdSharp.ZstdException
            || exception.GetType().Namespace?.StartsWith("SharpCompress", StringComparison.Ordinal) == true)
        {
            throw new TraceException(
                $"{Path}: the compressed data is damaged or cut off ({FirstLine(exception.Message)}); fetch or record the file again", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new TraceException($"{Path}: cannot be read ({FirstLine(exception.Message)})", exception);
        }
    }

    public void Dispose()
    {
        _decoded.Dispose();
        _raw.Dispose();
    }

    private static string FirstLine(string message) => message.Split('\n')[0].Trim().TrimEnd('.');
}
