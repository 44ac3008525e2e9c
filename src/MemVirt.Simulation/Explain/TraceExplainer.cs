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

/// <summary>A reference of a trace explained.</summary>
/// <param name="Accesses">The reference under each regime.</param>
/// <param name="NextWalk">
/// The first reference after it, counted from 1, at which some regime walks; null where there is none among the next 1,048,576.
/// </param>
public sealed record TraceExplanation(IReadOnlyList<AccessExplanation> Accesses, long? NextWalk);

/// <summary>Explains one reference of a trace, as it stood when all those before it had run: nothing is estimated.</summary>
public static class TraceExplainer
{
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
    public static TraceExplanation Explain(
        Func<ITraceReader> open, TraceExplainerOptions options, Action<ComparisonProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(open);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Reference, 1, nameof(options));
        MemoryReference target = Find(open, options.Reference, cancellation);
        using var run = new TraceRun(open, options, target, progress, cancellation);
        int last = target.CrossesPage ? 1 : 0;
        var explained = new AccessExplanation[run.Simulations.Length];
        for (int i = 0; i < explained.Length; i++)
        {
            Regime regime = options.Regimes[i];
            bool flushes = run.Simulations[i].Hardware.Events.Flushes > 0;
            IReadOnlyList<TranslationExplanation> translations = new AccessObserver(regime, options.Machine, run.Simulations[i]).Run(target, last);
            var causes = new MissCauses(regime, options.Machine, options.GuestPages, options.HostPages);
            explained[i] = new AccessExplanation(regime, target, [
                .. translations.Select((translation, at) =>
                    translation with { Misses = causes.Of(translation.Attempts[0], run.Histories[at], flushes) }),
            ]);
        }

        long? next = run.NextWalk(cancellation);
        return new TraceExplanation(last == 1 ? WithFirstWalks(open, options, target, explained, cancellation) : explained, next);
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

        using var run = new TraceRun(open, options, target, null, cancellation);
        for (int i = 0; i < explained.Length; i++)
        {
            if (explained[i].Translations[0].Attempts[^1] is { IsHypothetical: true, Walk: null })
            {
                TranslationExplanation first
                    = new AccessObserver(explained[i].Regime, options.Machine, run.Simulations[i]).Run(target, hypothetical: 0)[0];
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
        var batch = new MemoryReference[TraceRun.BatchLength];
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
}
