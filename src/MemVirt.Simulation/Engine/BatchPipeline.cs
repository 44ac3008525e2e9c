using System.Runtime.ExceptionServices;

namespace MemVirt.Simulation.Engine;

/// <summary>
/// A decoder, a stripper and several simulations over a ring of batches, worked by a fixed number of threads. Each of them takes the
/// batches in order and on one thread at a time, so that counts do not depend on the number of threads.
/// </summary>
internal sealed class BatchPipeline(
    ReferenceFeed feed, IReadOnlyList<RegimeSimulation> simulations, Action<ComparisonProgress>? progress, CancellationToken cancellation)
{
    private const int RingSize = 8;

    // How many batches a simulation may be behind another before it moves to a worker that did not run it last: bench/aot.
    private const int WorthOfWarmCaches = 3;

    // Batches to have ready for the simulation furthest ahead.
    private const int ReadyAhead = 2;

    // What a worker may do beside running a simulation, which is told by its index.
    private const int Nothing = -1;
    private const int Decode = -2;
    private const int Strip = -3;
    private readonly object _gate = new();
    private readonly TraceStripper[] _strippers = Share(simulations);
    private readonly ReferenceBatch[] _ring = new ReferenceBatch[RingSize];
    private readonly long[] _next = new long[simulations.Count];
    private readonly int[] _lastWorker = new int[simulations.Count];
    private readonly bool[] _busy = new bool[simulations.Count];
    private long _decoded;
    private long _ready;
    private bool _decoding;
    private bool _stripping;
    private bool _exhausted;
    private ExceptionDispatchInfo? _failure;

    /// <summary>Runs to the end of the feed on this thread and <paramref name="jobs"/> − 1 more.</summary>
    internal void Run(int jobs)
    {
        for (int i = 0; i < (jobs == 1 ? 1 : RingSize); i++)
        {
            _ring[i] = new ReferenceBatch(_strippers.Length);
        }

        if (jobs == 1)
        {
            RunAlone();
            return;
        }

        var threads = new Thread[jobs - 1];
        for (int i = 0; i < threads.Length; i++)
        {
            int worker = i + 1;
            threads[i] = new Thread(() => Work(worker)) { IsBackground = true, Name = $"memvirt simulation {i + 1}" };
            threads[i].Start();
        }

        Work(0);
        foreach (Thread thread in threads)
        {
            thread.Join();
        }

        _failure?.Throw();
        cancellation.ThrowIfCancellationRequested();
    }

    private void RunAlone()
    {
        ReferenceBatch batch = _ring[0];
        while (feed.TryFill(batch))
        {
            StripAll(batch);
            foreach (RegimeSimulation simulation in simulations)
            {
                cancellation.ThrowIfCancellationRequested();
                simulation.Run(batch);
            }

            progress?.Invoke(new ComparisonProgress(feed.Delivered, feed.Fraction));
        }
    }

    private void Work(int worker)
    {
        try
        {
            while (true)
            {
                int task;
                lock (_gate)
                {
                    while ((task = Choose(worker)) == Nothing && !MustStop())
                    {
                        Monitor.Wait(_gate);
                    }

                    if (task == Nothing)
                    {
                        Monitor.PulseAll(_gate);
                        return;
                    }
                }

                switch (task)
                {
                    case Decode:
                        DecodeOne();
                        break;
                    case Strip:
                        StripOne();
                        break;
                    default:
                        RunOne(task);
                        break;
                }
            }
        }
        catch (Exception exception)
        {
            lock (_gate)
            {
                _failure ??= ExceptionDispatchInfo.Capture(exception);
                Monitor.PulseAll(_gate);
            }
        }
    }

    /// <summary>
    /// What this worker does next. A simulation that has a batch to run, the one furthest behind first, unless batches run short: then
    /// more of them are made ready, as simulations can share the time and decoding cannot.
    /// </summary>
    private int Choose(int worker)
    {
        if (_failure is not null || cancellation.IsCancellationRequested)
        {
            return Nothing;
        }

        long slowest = _ready;
        long fastest = 0;
        int chosen = Nothing;
        long best = long.MaxValue;
        for (int i = 0; i < _next.Length; i++)
        {
            slowest = Math.Min(slowest, _next[i]);
            fastest = Math.Max(fastest, _next[i]);
            long place = _next[i] + (_lastWorker[i] == worker ? 0 : WorthOfWarmCaches);
            if (!_busy[i] && _next[i] < _ready && place < best)
            {
                chosen = i;
                best = place;
            }
        }

        if (chosen == Nothing || _ready - fastest < ReadyAhead)
        {
            if (!_stripping && _ready < _decoded)
            {
                _stripping = true;
                return Strip;
            }

            if (!_decoding && !_exhausted && _decoded - slowest < RingSize)
            {
                _decoding = true;
                return Decode;
            }
        }

        if (chosen != Nothing)
        {
            _busy[chosen] = true;
            _lastWorker[chosen] = worker;
        }

        return chosen;
    }

    private void DecodeOne()
    {
        bool filled = feed.TryFill(_ring[_decoded % RingSize]);
        lock (_gate)
        {
            _decoded += filled ? 1 : 0;
            _exhausted = !filled;
            _decoding = false;
            Monitor.PulseAll(_gate);
        }

        progress?.Invoke(new ComparisonProgress(feed.Delivered, feed.Fraction));
    }

    private void StripOne()
    {
        StripAll(_ring[_ready % RingSize]);
        lock (_gate)
        {
            _ready++;
            _stripping = false;
            Monitor.PulseAll(_gate);
        }
    }

    private void RunOne(int simulation)
    {
        simulations[simulation].Run(_ring[_next[simulation] % RingSize]);
        lock (_gate)
        {
            _next[simulation]++;
            _busy[simulation] = false;
            Monitor.PulseAll(_gate);
        }
    }

    private void StripAll(ReferenceBatch batch)
    {
        for (int i = 0; i < _strippers.Length; i++)
        {
            _strippers[i].Strip(batch, batch.Stripped[i]);
        }

        feed.Count(batch, batch.Stripped[0]);
    }

    /// <summary>One stripper for all simulations that strip alike; the first of them is there in any case, for what is counted.</summary>
    private static TraceStripper[] Share(IReadOnlyList<RegimeSimulation> simulations)
    {
        var strippers = new List<TraceStripper> { new(StripGeometry.Finest) };
        foreach (RegimeSimulation simulation in simulations)
        {
            if (simulation.StripGeometry is { } geometry)
            {
                int found = strippers.FindIndex(stripper => stripper.Geometry == geometry);
                simulation.Stripping = found >= 0 ? found : strippers.Count;
                if (found < 0)
                {
                    strippers.Add(new TraceStripper(geometry));
                }
            }
        }

        return [.. strippers];
    }

    private bool MustStop()
        => _failure is not null
           || cancellation.IsCancellationRequested
           || (_exhausted && Array.TrueForAll(_next, next => next == _decoded));
}
