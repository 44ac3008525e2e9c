using System.Collections.Concurrent;

namespace MemVirt.Cli.Output;

/// <summary>
/// An output file that appears under its name only when it is whole: it is written beside the target under a temporary name
/// and renamed by <see cref="Commit"/>; disposed without that, it is deleted. Devices are written as they are.
/// </summary>
internal sealed class AtomicFile : IDisposable
{
    private static readonly ConcurrentDictionary<string, byte> Unfinished = new();
    private readonly string _name;
    private readonly string _target;
    private readonly string? _temporary;
    private readonly FileStream _stream;
    private bool _closed;

    private AtomicFile(string name, string target, string? temporary)
    {
        _name = name;
        _target = target;
        _temporary = temporary;
        if (temporary is not null)
        {
            Unfinished.TryAdd(temporary, 0);
        }

        _stream = new FileStream(
            temporary ?? target, temporary is null ? FileMode.Open : FileMode.Create, FileAccess.Write, FileShare.Read, 1 << 16);
        Stream = new ReportingStream(_stream, name);
    }

    /// <summary>Where the content goes; errors come out as <see cref="OutputException"/>.</summary>
    public Stream Stream { get; }

    /// <summary>Opens the temporary file, so that a target that cannot be written is known before the work begins.</summary>
    public static AtomicFile Create(string path)
    {
        try
        {
            string target = SameFile.Resolve(path);
            if (Directory.Exists(target))
            {
                throw CommandException.Failure($"{path} is a directory; give the name of a file to write");
            }

            string folder = Path.GetDirectoryName(target)!;
            if (!Directory.Exists(folder))
            {
                throw CommandException.Failure($"{path} cannot be written: there is no folder {folder}; make it, or write elsewhere");
            }

            bool isDevice = File.Exists(target) && (target.StartsWith("/dev/", StringComparison.Ordinal)
                || target.StartsWith("/proc/", StringComparison.Ordinal));
            string? temporary = isDevice ? null : Path.Combine(folder, $".{Path.GetFileName(target)}.{Environment.ProcessId}.tmp");
            return new AtomicFile(path, target, temporary);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw OutputException.From(exception, path);
        }
    }

    /// <summary>Deletes what is not committed; for a process about to leave without unwinding.</summary>
    public static void DeleteUnfinished()
    {
        foreach (string temporary in Unfinished.Keys)
        {
            TryDelete(temporary);
        }
    }

    /// <summary>Closes the file and gives it its name; returns how many bytes it holds.</summary>
    public long Commit()
    {
        try
        {
            Stream.Flush();
            long bytes = _temporary is null ? 0 : _stream.Length;
            _closed = true;
            _stream.Dispose();
            if (_temporary is not null)
            {
                File.Move(_temporary, _target, overwrite: true);
                Unfinished.TryRemove(_temporary, out _);
            }

            return bytes;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw OutputException.From(exception, _name);
        }
    }

    public void Dispose()
    {
        if (!_closed)
        {
            _closed = true;
            try
            {
                _stream.Dispose();
            }
            catch (IOException)
            {
                // The disk is full and the buffer's last bytes do not fit; the file goes anyway.
            }
        }

        if (_temporary is not null && Unfinished.TryRemove(_temporary, out _))
        {
            TryDelete(_temporary);
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Nothing more can be done about a leftover.
        }
    }
}
