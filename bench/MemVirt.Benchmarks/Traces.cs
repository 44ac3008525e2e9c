using MemVirt.Simulation.Traces;

namespace MemVirt.Benchmarks;

/// <summary>The traces that the tool embeds, decoded.</summary>
internal static class Traces
{
    /// <summary>The first references of a trace.</summary>
    internal static MemoryReference[] Load(string name, int references)
    {
        string path = Path.Combine(AppContext.BaseDirectory, "traces", name + ".mvt");
        using ITraceReader reader = TraceFile.Open(path);
        var all = new MemoryReference[references];
        int filled = 0;
        while (filled < references)
        {
            int read = reader.Read(all.AsSpan(filled));
            if (read == 0)
            {
                throw new InvalidOperationException($"{path} has {filled} references; {references} are needed.");
            }

            filled += read;
        }

        return all;
    }
}

/// <summary>Decoded references as an input, for simulation to be measured without decoding.</summary>
internal sealed class DecodedTrace(MemoryReference[] references) : ITraceReader
{
    private int _next;

    public string Path => "decoded";

    public string Format => "mvt";

    public long? KnownReferences => references.Length;

    public double? FractionRead => (double)_next / references.Length;

    public int Read(Span<MemoryReference> destination)
    {
        int count = Math.Min(destination.Length, references.Length - _next);
        references.AsSpan(_next, count).CopyTo(destination);
        _next += count;
        return count;
    }

    public void Dispose()
    {
        // Nothing is held.
    }
}
