using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Tests.Support;

/// <summary>A trace held in memory.</summary>
internal sealed class MemoryTrace(IReadOnlyList<MemoryReference> references) : ITraceReader
{
    private int _position;

    public string Path => "memory";

    public string Format => "memory";

    public long? KnownReferences => references.Count;

    public double? FractionRead => references.Count == 0 ? 1 : (double)_position / references.Count;

    public int Read(Span<MemoryReference> destination)
    {
        int count = Math.Min(destination.Length, references.Count - _position);
        for (int i = 0; i < count; i++)
        {
            destination[i] = references[_position + i];
        }

        _position += count;
        return count;
    }

    public void Dispose()
    {
        // Nothing is held open.
    }
}
