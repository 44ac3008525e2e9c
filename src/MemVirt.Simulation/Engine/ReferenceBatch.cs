using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Engine;

/// <summary>A run of references of one process within a batch.</summary>
/// <param name="Process">The process.</param>
/// <param name="Start">The first reference's index.</param>
/// <param name="Length">References.</param>
/// <param name="EndsWarmup">Whether the counters are reset once these have run.</param>
/// <param name="EndsGranule">Whether the counters are read once these have run, where they are kept over time.</param>
internal readonly record struct BatchSegment(int Process, int Start, int Length, bool EndsWarmup, bool EndsGranule);

/// <summary>
/// A fixed amount of decoded references, in segments, and what is left of them once stripped. Filled by one thread, then read by many.
/// </summary>
/// <param name="strippings">In how many ways the references are stripped.</param>
internal sealed class ReferenceBatch(int strippings)
{
    internal const int Capacity = 1 << 15;
    internal const int MaxSegments = 1 << 11;
    private readonly MemoryReference[] _references = new MemoryReference[Capacity];
    private readonly BatchSegment[] _segments = new BatchSegment[MaxSegments];
    private int _segmentCount;
    private int _length;

    internal ReadOnlySpan<BatchSegment> Segments => _segments.AsSpan(0, _segmentCount);

    internal bool IsFull => _length == Capacity || _segmentCount == MaxSegments;

    /// <summary>What each <see cref="TraceStripper"/> keeps of the batch.</summary>
    internal StrippedReferences[] Stripped { get; } = [.. Enumerable.Range(0, strippings).Select(_ => new StrippedReferences())];

    /// <summary>The part not filled yet.</summary>
    internal Span<MemoryReference> Free => _references.AsSpan(_length);

    internal void Clear() => _length = _segmentCount = 0;

    /// <summary>Makes the first references of <see cref="Free"/> a segment.</summary>
    internal void Append(int process, int length, bool endsWarmup, bool endsGranule = false)
    {
        _segments[_segmentCount++] = new BatchSegment(process, _length, length, endsWarmup, endsGranule);
        _length += length;
    }

    /// <summary>The references of a segment.</summary>
    internal ReadOnlySpan<MemoryReference> Of(BatchSegment segment) => _references.AsSpan(segment.Start, segment.Length);
}
