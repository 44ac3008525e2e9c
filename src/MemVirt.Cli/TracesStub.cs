// Temporary: stands in for the trace readers until their branch is merged.
namespace MemVirt.Simulation.Traces;

internal static class TraceFile
{
    public static ITraceReader Open(string path) => throw new TraceException($"{path}: not built yet");

    public static ITraceReader Open(Stream stream, string name) => throw new TraceException($"{name}: not built yet");

    public static ITraceReader OpenLackey(Stream stream, string name) => throw new TraceException($"{name}: not built yet");
}

internal sealed class MvtWriter : IDisposable
{
    public MvtWriter(Stream stream) { }

    public MvtWriter(Stream stream, int level) { }

    public void Append(ReadOnlySpan<MemoryReference> references) { }

    public void Complete() { }

    public void Dispose() { }
}

internal sealed class TraceStatistics
{
    public long References { get; set; }
    public long InstructionFetches { get; set; }
    public long Loads { get; set; }
    public long Stores { get; set; }
    public long Crossings { get; set; }
    public long DistinctPages4k { get; set; }

    public void Add(ReadOnlySpan<MemoryReference> references) => References += references.Length;
}
