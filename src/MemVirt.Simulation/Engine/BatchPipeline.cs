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
    private readonly ReferenceBatch[] _ring = [.. Enumerable.Range(0, RingSize).Select(_ => new ReferenceBatch())];
    private readonly long[] _next = new long[simulations.Count];
    private readonly bool[] _busy = new bool[simulations.Count];
    private long _decoded;
    private bool _decoding;
    private bool _exhausted;
    private ExceptionDispatchInfo? _failure;

    /// <summary>Runs to the end of the feed on this thread and <paramref name="jobs"/> − 1 more.</summary>
    internal void Run(int jobs)
    {
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
        while (feed.TryFill(batch))
        {
            foreach (RegimeSimulation simulation in simulations)
            {
                cancellation.ThrowIfCancellationRequested();
                batch.Run(simulation);
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
                    _ring[_next[task] % RingSize].Run(simulations[task]);
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

    private bool MustStop()
        => _failure is not null
           || cancellation.IsCancellationRequested
           || (_exhausted && Array.TrueForAll(_next, next => next == _decoded));
}
