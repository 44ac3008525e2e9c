using MemVirt.Simulation.Engine;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Explain;

/// <summary>The regimes of an explanation with the references of a trace up to one of them behind them.</summary>
internal sealed class TraceRun : IDisposable
{
    internal const int BatchLength = 1 << 15;

    /// <summary>How far ahead the next walk is looked for, in references.</summary>
    private const int LookAhead = 1 << 20;

    private readonly ITraceReader _reader;
    private readonly TraceExplainerOptions _options;

    /// <summary>Runs what comes before the reference.</summary>
    internal TraceRun(
        Func<ITraceReader> open, TraceExplainerOptions options, MemoryReference target, Action<ComparisonProgress>? progress,
        CancellationToken cancellation)
    {
        _options = options;
        Simulations =
        [
            .. options.Regimes.Select(regime => RegimeFactory.Create(
                regime, options.Machine, options.GuestPages, options.HostPages, processes: 1)),
        ];
        bool isFetch = target.Kind == ReferenceKind.Fetch;
        ulong lastPage = (target.LinearAddress48 + (ulong)target.SizeBytes - 1) & MemoryReference.AddressMask & ~0xFFFUL;
        Histories = [new(target.LinearAddress48, isFetch), new(lastPage, isFetch)];
        _reader = open();
        try
        {
            RunUpToTarget(progress, cancellation);
        }
        catch
        {
            _reader.Dispose();
            throw;
        }

        // The last page of a crossing is looked up after the first.
        Histories[1].Touch(target.LinearAddress48, target.Kind, options.Reference);
    }

    /// <summary>The simulations, in the order of the regimes asked for.</summary>
    internal RegimeSimulation[] Simulations { get; }

    /// <summary>What touched the first and the last page of the reference before.</summary>
    internal TouchHistory[] Histories { get; }

    /// <summary>
    /// The first reference after the explained one at which some regime walks; null where there is none so near. That walks have been
    /// made beside the simulation makes no difference: they enter nothing in TLBs.
    /// </summary>
    internal long? NextWalk(CancellationToken cancellation)
    {
        var batch = new MemoryReference[BatchLength];
        long number = _options.Reference;
        if (_reader.Read(batch.AsSpan(0, 1)) == 0)
        {
            return null;
        }

        int read;
        while (number < _options.Reference + LookAhead && (read = _reader.Read(batch)) > 0)
        {
            cancellation.ThrowIfCancellationRequested();
            for (int i = 0; i < read; i++)
            {
                number++;
                if (Walks(batch.AsSpan(i, 1)))
                {
                    return number;
                }
            }
        }

        return null;
    }

    public void Dispose() => _reader.Dispose();

    private bool Walks(ReadOnlySpan<MemoryReference> reference)
    {
        bool walks = false;
        foreach (RegimeSimulation simulation in Simulations)
        {
            WalkMeter meter = simulation.Hardware.Meter;
            long before = meter.Walks;
            simulation.Run(reference, process: 0);
            walks |= meter.Walks != before;
        }

        return walks;
    }

    private void RunUpToTarget(Action<ComparisonProgress>? progress, CancellationToken cancellation)
    {
        var batch = new MemoryReference[BatchLength];
        long done = 0;
        long before = _options.Reference - 1;
        do
        {
            cancellation.ThrowIfCancellationRequested();
            int read = done < before ? _reader.Read(batch.AsSpan(0, (int)Math.Min(BatchLength, before - done))) : 0;
            if (read == 0 && done < before)
            {
                throw new TraceException($"{_reader.Path}: it has become shorter while it was read; read it again once nothing writes it");
            }

            ReadOnlySpan<MemoryReference> references = batch.AsSpan(0, read);
            foreach (RegimeSimulation simulation in Simulations)
            {
                simulation.Run(references, process: 0);
            }

            foreach (TouchHistory history in Histories)
            {
                history.Add(references, done + 1);
            }

            done += read;
            progress?.Invoke(new ComparisonProgress(done, before == 0 ? 1 : (double)done / before));
        }
        while (done < before);
    }
}
