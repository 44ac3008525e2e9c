using MemVirt.Core.Addresses;
using MemVirt.Simulation.Engine;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Explain;

/// <summary>Which reference of a trace to explain, and where.</summary>
/// <param name="Reference">The reference, counted from 1.</param>
/// <param name="Regimes">The regimes.</param>
/// <param name="Machine">The machine.</param>
/// <param name="GuestPages">The guest's page size.</param>
/// <param name="HostPages">The size of the host pages behind the guest.</param>
public sealed record TraceExplainerOptions(
    long Reference, IReadOnlyList<Regime> Regimes, MachineDescription Machine, PageSize GuestPages, PageSize HostPages);

/// <summary>Explains one reference of a trace, as it stood when all those before it had run: nothing is estimated.</summary>
public static class TraceExplainer
{
    private const int BatchLength = 1 << 15;

    /// <summary>
    /// Explains a reference under each regime. The trace is read twice up to it, a third time where it crosses a page that a TLB has.
    /// Memory is what the guest touches.
    /// </summary>
    /// <param name="open">Opens the trace from its beginning.</param>
    /// <param name="options">Which reference, and where.</param>
    /// <param name="progress">Told after each batch simulated; may be null.</param>
    /// <param name="cancellation">Stops at the next batch with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="TraceException">The trace cannot be read up to the reference, or ends before it.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The reference is below 1.</exception>
    public static IReadOnlyList<AccessExplanation> Explain(
        Func<ITraceReader> open, TraceExplainerOptions options, Action<ComparisonProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(open);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Reference, 1, nameof(options));
        MemoryReference target = Find(open, options.Reference, cancellation);
        (RegimeSimulation[] simulations, TouchHistory[] histories) = RunUpTo(open, options, target, progress, cancellation);
        int last = target.CrossesPage ? 1 : 0;
        var explained = new AccessExplanation[simulations.Length];
        for (int i = 0; i < explained.Length; i++)
        {
            Regime regime = options.Regimes[i];
            bool flushes = simulations[i].Hardware.Events.Flushes > 0;
            IReadOnlyList<TranslationExplanation> translations = new AccessObserver(regime, options.Machine, simulations[i]).Run(target, last);
            var causes = new MissCauses(regime, options.Machine, options.GuestPages, options.HostPages);
            explained[i] = new AccessExplanation(regime, target, [
                .. translations.Select((translation, at) =>
                    translation with { Misses = causes.Of(translation.Attempts[0], histories[at], flushes) }),
            ]);
        }

        return last == 1 ? WithFirstWalks(open, options, target, explained, cancellation) : explained;
    }

    /// <summary>
    /// Of a crossing whose first page a TLB has, the walk that it would have been needs a run of its own: it would change what the
    /// second page meets.
    /// </summary>
    private static AccessExplanation[] WithFirstWalks(
        Func<ITraceReader> open, TraceExplainerOptions options, MemoryReference target, AccessExplanation[] explained,
        CancellationToken cancellation)
    {
        if (!explained.Any(access => access.Translations[0].Attempts[^1] is { IsHypothetical: true, Walk: null }))
        {
            return explained;
        }

        (RegimeSimulation[] simulations, _) = RunUpTo(open, options, target, null, cancellation);
        for (int i = 0; i < explained.Length; i++)
        {
            if (explained[i].Translations[0].Attempts[^1] is { IsHypothetical: true, Walk: null })
            {
                TranslationExplanation first
                    = new AccessObserver(explained[i].Regime, options.Machine, simulations[i]).Run(target, hypothetical: 0)[0];
                TranslationExplanation known = explained[i].Translations[0];
                explained[i] = explained[i] with
                {
                    Translations = [known with { Attempts = first.Attempts }, .. explained[i].Translations.Skip(1)],
                };
            }
        }

        return explained;
    }

    private static MemoryReference Find(Func<ITraceReader> open, long number, CancellationToken cancellation)
    {
        using ITraceReader reader = open();
        var batch = new MemoryReference[BatchLength];
        long before = 0;
        int read;
        while ((read = reader.Read(batch)) > 0)
        {
            cancellation.ThrowIfCancellationRequested();
            if (number <= before + read)
            {
                return batch[number - before - 1];
            }

            before += read;
        }

        throw new TraceException(FormattableString.Invariant(
            $"{reader.Path}: it has {before:N0} references, and there is no reference {number:N0}; give a number from 1 to {before:N0}"));
    }

    private static (RegimeSimulation[] Simulations, TouchHistory[] Histories) RunUpTo(
        Func<ITraceReader> open, TraceExplainerOptions options, MemoryReference target, Action<ComparisonProgress>? progress,
        CancellationToken cancellation)
    {
        RegimeSimulation[] simulations =
        [
            .. options.Regimes.Select(regime => RegimeFactory.Create(
                regime, options.Machine, options.GuestPages, options.HostPages, processes: 1)),
        ];
        bool isFetch = target.Kind == ReferenceKind.Fetch;
        ulong lastPage = (target.LinearAddress48 + (ulong)target.SizeBytes - 1) & MemoryReference.AddressMask & ~0xFFFUL;
        TouchHistory[] histories = [new(target.LinearAddress48, isFetch), new(lastPage, isFetch)];
        using ITraceReader reader = open();
        var batch = new MemoryReference[BatchLength];
        long done = 0;
        long before = options.Reference - 1;
        do
        {
            cancellation.ThrowIfCancellationRequested();
            int read = done < before ? reader.Read(batch.AsSpan(0, (int)Math.Min(BatchLength, before - done))) : 0;
            if (read == 0 && done < before)
            {
                throw new TraceException($"{reader.Path}: it has become shorter while it was read; read it again once nothing writes it");
            }

            ReadOnlySpan<MemoryReference> references = batch.AsSpan(0, read);
            foreach (RegimeSimulation simulation in simulations)
            {
                simulation.Run(references, process: 0);
            }

            foreach (TouchHistory history in histories)
            {
                history.Add(references, done + 1);
            }

            done += read;
            progress?.Invoke(new ComparisonProgress(done, before == 0 ? 1 : (double)done / before));
        }
        while (done < before);

        histories[1].Touch(target.LinearAddress48, target.Kind, options.Reference);
        return (simulations, histories);
    }
}
