using MemVirt.Core.Addresses;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Engine;

/// <summary>The processes' references in the order in which the guest runs them: round-robin, a quantum a turn.</summary>
internal sealed class ReferenceFeed
{
    private readonly IReadOnlyList<ITraceReader> _inputs;
    private readonly TraceStatistics[] _statistics;
    private readonly bool[] _finished;
    private readonly long _quantum;
    private readonly long _limit;
    private readonly long _warmup;
    private readonly ReuseMeter? _reuse;
    private int _current;
    private long _leftInTurn;
    private int _running;

    internal ReferenceFeed(IReadOnlyList<ITraceReader> inputs, ComparisonOptions options)
    {
        _inputs = inputs;
        _statistics = [.. inputs.Select(_ => new TraceStatistics())];
        _finished = new bool[inputs.Count];
        _quantum = options.Quantum;
        _limit = options.References ?? long.MaxValue;
        _warmup = options.Warmup;
        _reuse = options.Details ? new ReuseMeter(PageSizeExtensions.Smaller(options.GuestPages, options.HostPages)) : null;
        _leftInTurn = _quantum;
        _running = inputs.Count;
    }

    /// <summary>References delivered so far.</summary>
    internal long Delivered { get; private set; }

    /// <summary>How much has been delivered, from 0 to 1, where it can be told.</summary>
    internal double? Fraction
    {
        get
        {
            double? read = _inputs.Average(input => input.FractionRead);
            double? limited = _limit == long.MaxValue ? null : (double)Delivered / _limit;
            return read is null || limited > read ? limited ?? read : read;
        }
    }

    /// <summary>Fills a batch; false where nothing is left.</summary>
    internal bool TryFill(ReferenceBatch batch)
    {
        batch.Clear();
        while (!batch.IsFull && _running > 0 && Delivered < _limit)
        {
            if (_leftInTurn == 0 || _finished[_current])
            {
                NextTurn();
                continue;
            }

            long most = Math.Min(Math.Min(batch.Free.Length, _leftInTurn), _limit - Delivered);
            if (Delivered < _warmup)
            {
                most = Math.Min(most, _warmup - Delivered);
            }

            if (_reuse is not null)
            {
                most = Math.Min(most, SliceRecorder.Granule - (Counted % SliceRecorder.Granule));
            }

            Span<MemoryReference> destination = batch.Free[..(int)most];
            int read = _inputs[_current].Read(destination);
            if (read == 0)
            {
                _finished[_current] = true;
                _running--;
                continue;
            }

            Delivered += read;
            _leftInTurn -= read;
            batch.Append(_current, read, Delivered == _warmup, _reuse is not null && Counted % SliceRecorder.Granule == 0);
        }

        return batch.Segments.Length > 0;
    }

    /// <summary>References delivered since the warm-up; in it, how many are still to come, negative.</summary>
    private long Counted => Delivered - _warmup;

    /// <summary>Counts what a batch holds; <paramref name="stripped"/> is what <see cref="StripGeometry.Finest"/> leaves of it.</summary>
    internal void Count(ReferenceBatch batch, StrippedReferences stripped)
    {
        int kept = 0;
        for (int i = 0; i < batch.Segments.Length; i++)
        {
            BatchSegment segment = batch.Segments[i];
            StrippedSegment left = stripped.Segments[i];
            _statistics[segment.Process].Add(segment.Length, left.Fetches, left.Stores, stripped.Kept(kept, left.Kept));
            kept += left.Kept;
        }

        _reuse?.Add(batch);
    }

    /// <summary>How soon pages were used again; null where that was not asked for.</summary>
    internal ReuseDistances? Reuse() => _reuse?.Result();

    /// <summary>What was read of each input.</summary>
    internal IReadOnlyList<InputSummary> Summaries() =>
    [
        .. _inputs.Zip(_statistics, (input, read) => new InputSummary(
            input.Path, input.Format, read.References, read.InstructionFetches, read.Loads, read.Stores,
            read.Crossings, read.DistinctPages4k)),
    ];

    private void NextTurn()
    {
        do
        {
            _current = (_current + 1) % _inputs.Count;
        }
        while (_finished[_current]);

        _leftInTurn = _quantum;
    }
}
