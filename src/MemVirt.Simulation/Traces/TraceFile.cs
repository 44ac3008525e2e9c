using MemVirt.Simulation.Traces.Input;

namespace MemVirt.Simulation.Traces;

/// <summary>
/// Opens traces of any format and compression: gzip, xz and zstd are told by their first bytes, brotli by a name in
/// <c>.br</c>, <c>.mvt</c> by its magic, ChampSim by its name; all else is taken for lackey's text.
/// </summary>
public static class TraceFile
{
    /// <summary>The path that stands for standard input.</summary>
    public const string StandardInput = "-";

    /// <summary>Opens a file, or standard input for <c>-</c>.</summary>
    /// <exception cref="TraceException">It cannot be opened or is no trace; the message is one line for the user.</exception>
    public static ITraceReader Open(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return Open(path, path == StandardInput ? Console.OpenStandardInput() : OpenFile(path));
    }

    /// <summary>
    /// Opens a stream, which need not be able to seek and is closed with the reader. The path names it in messages and takes
    /// part in telling the format.
    /// </summary>
    /// <exception cref="TraceException">It is no trace; the message is one line for the user.</exception>
    public static ITraceReader Open(string path, Stream stream)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(stream);
        var input = new TraceInput(path, stream);
        try
        {
            PeekStream content = Compression.Decompress(input, out bool isCompressed);
            return TraceFormat.CreateReader(input, content, isCompressed);
        }
        catch
        {
            input.Dispose();
            throw;
        }
    }

    /// <summary>Opens lackey's text as it comes from a program that still runs; the stream is closed with the reader.</summary>
    public static ITraceReader OpenLackey(string path, Stream stream)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(stream);
        var input = new TraceInput(path, stream);
        return new LackeyReader(input, input);
    }

    private static FileStream OpenFile(string path)
    {
        if (Directory.Exists(path))
        {
            throw new TraceException($"{path} is a directory: name a trace in it");
        }

        try
        {
            // The readers have buffers of their own; one more would only copy.
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0, FileOptions.SequentialScan);
        }
        catch (Exception failure) when (failure is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new TraceException($"{path} does not exist: check the path", failure);
        }
        catch (UnauthorizedAccessException failure)
        {
            throw new TraceException($"{path} may not be read: check its permissions", failure);
        }
        catch (Exception failure) when (failure is IOException or ArgumentException or NotSupportedException)
        {
            throw new TraceException($"{path} cannot be opened: {failure.Message}", failure);
        }
    }
}
