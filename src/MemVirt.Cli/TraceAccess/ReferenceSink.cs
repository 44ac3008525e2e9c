using MemVirt.Simulation.Traces;

namespace MemVirt.Cli.TraceAccess;

/// <summary>Where converted references go: <c>.mvt</c>, or lackey's text.</summary>
internal abstract class ReferenceSink : IDisposable
{
    public abstract void Append(ReadOnlySpan<MemoryReference> references);

    /// <summary>Writes what is still held back; without it the output is not whole.</summary>
    public abstract void Complete();

    public abstract void Dispose();

    /// <summary>The sink for a file of this name, or a usage error where the name says no format.</summary>
    public static ReferenceSink Create(string path, Stream stream, int? level) => Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".mvt" => new MvtSink(stream, level),
        ".lackey" or ".txt" => new LackeySink(stream),
        _ => throw UnknownFormat(path),
    };

    /// <summary>Refuses a name that says no format, before anything is opened.</summary>
    public static void CheckName(string path)
    {
        if (Path.GetExtension(path).ToLowerInvariant() is not (".mvt" or ".lackey" or ".txt"))
        {
            throw UnknownFormat(path);
        }
    }

    private static CommandException UnknownFormat(string path)
        => CommandException.Usage($"{path}: the name says no format; write OUT.mvt, or OUT.lackey for text");
}

/// <summary>MemVirt's own binary format.</summary>
internal sealed class MvtSink(Stream stream, int? level) : ReferenceSink
{
    private readonly MvtWriter _writer = level is int chosen ? new MvtWriter(stream, chosen) : new MvtWriter(stream);

    public override void Append(ReadOnlySpan<MemoryReference> references) => _writer.Append(references);

    public override void Complete() => _writer.Complete();

    public override void Dispose() => _writer.Dispose();
}
