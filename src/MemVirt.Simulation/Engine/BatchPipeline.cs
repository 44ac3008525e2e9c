using System.Runtime.ExceptionServices;

namespace MemVirt.Simulation.Engine;

/// <summary>
/// One decoder and several simulations over a ring of batches, worked by a fixed number of threads. Each simulation sees every
/// batch in order and on one thread at a time, so that its counts do not depend on the number of threads.
/// </summary>
internal sealed class BatchPipeline(
    ReferenceFeed feed, IReadOnlyList<RegimeSimulation> simulations, Action<ComparisonProgress>? progress, CancellationToken cancellation)
{
    private const int RingSize = 8;
    private const int Nothing = -2;
    private const int Decode = -1;
    private readonly object _gate = new();
    private readonly TraceStripper[] _strippers = Share(simulations);
    private readonly ReferenceBatch[] _ring = new ReferenceBatch[RingSize];
    private readonly long[] _next = new long[simulations.Count];
    private readonly bool[] _busy = new bool[simulations.Count];
    private long _decoded;
    private bool _decoding;
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
            threads[i] = new Thread(Work) { IsBackground = true, Name = $"memvirt simulation {i + 1}" };
            threads[i].Start();
        }

        Work();
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
        while (TryFill(batch))
        {
            foreach (RegimeSimulation simulation in simulations)
            {
                cancellation.ThrowIfCancellationRequested();
                simulation.Run(batch);
            }

            progress?.Invoke(new ComparisonProgress(feed.Delivered, feed.Fraction));
        }
    }

    private void Work()
    {
        try
        {
            while (true)
            {
                int task;
                lock (_gate)
                {
                    while ((task = Choose()) == Nothing && !MustStop())
                    {
                        Monitor.Wait(_gate);
                    }

                    if (task == Nothing)
                    {
                        Monitor.PulseAll(_gate);
                        return;
                    }
                }

                if (task == Decode)
                {
                    DecodeOne();
                }
                else
                {
                    simulations[task].Run(_ring[_next[task] % RingSize]);
                    lock (_gate)
                    {
                        _next[task]++;
                        _busy[task] = false;
                        Monitor.PulseAll(_gate);
                    }
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

    /// <summary>The simulation furthest behind that has a batch to run; else decoding, where the ring has room.</summary>
    private int Choose()
    {
        int chosen = Nothing;
        if (_failure is not null || cancellation.IsCancellationRequested)
        {
            return chosen;
        }

        long slowest = _decoded;
        for (int i = 0; i < _next.Length; i++)
        {
            slowest = Math.Min(slowest, _next[i]);
            if (!_busy[i] && _next[i] < _decoded && (chosen == Nothing || _next[i] < _next[chosen]))
            {
                chosen = i;
            }
        }

        if (chosen != Nothing)
        {
            _busy[chosen] = true;
        }
        else if (!_decoding && !_exhausted && _decoded - slowest < RingSize)
        {
            _decoding = true;
            chosen = Decode;
        }

        return chosen;
    }

    private void DecodeOne()
    {
        bool filled = TryFill(_ring[_decoded % RingSize]);
        lock (_gate)
        {
            _decoded += filled ? 1 : 0;
            _exhausted = !filled;
            _decoding = false;
            Monitor.PulseAll(_gate);
        }

        progress?.Invoke(new ComparisonProgress(feed.Delivered, feed.Fraction));
    }

    private bool TryFill(ReferenceBatch batch)
    {
        if (!feed.TryFill(batch))
        {
            return false;
        }

        for (int i = 0; i < _strippers.Length; i++)
        {
            _strippers[i].Strip(batch, batch.Stripped[i]);
        }

        feed.Count(batch, batch.Stripped[0]);
        return true;
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
