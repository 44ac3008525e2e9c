using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Engine;

/// <summary>What is left of a batch's segment.</summary>
/// <param name="Kept">References kept.</param>
/// <param name="Fetches">Instruction fetches of the whole segment, those left out included.</param>
/// <param name="Stores">Stores of the whole segment, those left out included.</param>
internal readonly record struct StrippedSegment(int Kept, int Fetches, int Stores);

/// <summary>The references of a batch that a <see cref="TraceStripper"/> kept, in order, segment by segment.</summary>
internal sealed class StrippedReferences
{
    private readonly MemoryReference[] _kept = new MemoryReference[ReferenceBatch.Capacity];
    private readonly ushort[] _positions = new ushort[ReferenceBatch.Capacity];
    private readonly StrippedSegment[] _segments = new StrippedSegment[ReferenceBatch.MaxSegments];
    private int _segmentCount;
    private int _length;

    /// <summary>What is left of each segment of the batch.</summary>
    internal ReadOnlySpan<StrippedSegment> Segments => _segments.AsSpan(0, _segmentCount);

    /// <summary>Time that stripping took, in <see cref="System.Diagnostics.Stopwatch"/> ticks.</summary>
    internal long Ticks { get; set; }

    /// <summary>The part not filled yet.</summary>
    internal Span<MemoryReference> Free => _kept.AsSpan(_length);

    /// <summary>Beside <see cref="Free"/>: where in its segment each reference stands.</summary>
    internal Span<ushort> FreePositions => _positions.AsSpan(_length);

    /// <summary>References kept from <paramref name="start"/> on, counted over the batch.</summary>
    internal ReadOnlySpan<MemoryReference> Kept(int start, int length) => _kept.AsSpan(start, length);

    /// <summary>Beside <see cref="Kept"/>: where in its segment each reference stands.</summary>
    internal ReadOnlySpan<ushort> Positions(int start, int length) => _positions.AsSpan(start, length);

    internal void Clear() => _segmentCount = _length = 0;

    internal void Append(StrippedSegment segment)
    {
        _segments[_segmentCount++] = segment;
        _length += segment.Kept;
    }
}
