using MemVirt.Simulation.Engine;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation;

/// <summary>How far a comparison has come.</summary>
/// <param name="References">References decoded so far, over all inputs.</param>
/// <param name="Fraction">The part of the input consumed, from 0 to 1, where it can be told.</param>
public readonly record struct ComparisonProgress(long References, double? Fraction);

/// <summary>Runs references of one guest, one process an input, through machines and regimes.</summary>
public static class Comparison
{
    /// <summary>The most processes of one guest: a PCID each, and PCIDs have 12 bits.</summary>
    public const int MaxProcesses = (1 << RegimeSimulation.PcidBits) - 1;

    /// <summary>
    /// Reads the inputs once to their end and returns one result for each machine of <paramref name="options"/>.
    /// Memory is bounded whatever the inputs' length.
    /// </summary>
    /// <param name="inputs">The processes of the guest, in order; the caller disposes them.</param>
    /// <param name="options">Machines, regimes, page sizes and limits.</param>
    /// <param name="progress">Told after each batch, from any worker; may be null.</param>
    /// <param name="cancellation">Stops the run at the next batch with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="TraceException">An input is damaged.</exception>
    public static IReadOnlyList<ComparisonResult> Run(
        IReadOnlyList<ITraceReader> inputs,
        ComparisonOptions options,
        Action<ComparisonProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfZero(options.Machines.Count, nameof(options));
        ComparisonPoint[] points =
            [.. options.Machines.Select(machine => new ComparisonPoint(machine, options.GuestPages, options.HostPages))];
        return RunPoints(inputs, points, options, progress, cancellation);
    }

    /// <summary>
    /// Reads the inputs once to their end and returns one result for each point, whose machines and page sizes count, not those of
    /// <paramref name="options"/>. All points are simulated side by side: memory is proportional to their number.
    /// </summary>
    /// <param name="inputs">The processes of the guest, in order; the caller disposes them.</param>
    /// <param name="points">Machines and page sizes.</param>
    /// <param name="options">Regimes and limits.</param>
    /// <param name="progress">Told after each batch, from any worker; may be null.</param>
    /// <param name="cancellation">Stops the run at the next batch with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="TraceException">An input is damaged.</exception>
    public static IReadOnlyList<ComparisonResult> RunPoints(
        IReadOnlyList<ITraceReader> inputs,
        IReadOnlyList<ComparisonPoint> points,
        ComparisonOptions options,
        Action<ComparisonProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfZero(points.Count, nameof(points));
        Check(inputs, options);
        var feed = new ReferenceFeed(inputs, options);
        RegimeSimulation[][] simulations =
        [
            .. points.Select(point => options.Regimes.Select(regime => RegimeFactory.Create(
                regime, point.Machine, point.GuestPages, point.HostPages, inputs.Count, options.Details)).ToArray()),
        ];
        new BatchPipeline(feed, [.. simulations.SelectMany(ofPoint => ofPoint)], progress, cancellation).Run(options.Jobs);

        if (feed.Delivered < options.Warmup)
        {
            // The references ended within the warm-up: nothing follows it.
            foreach (RegimeSimulation simulation in simulations.SelectMany(ofPoint => ofPoint))
            {
                simulation.ResetCounters();
            }
        }

        IReadOnlyList<InputSummary> summaries = feed.Summaries();
        return
        [
            .. points.Zip(simulations, (point, ofPoint) => new ComparisonResult(
                point.Machine.Name, PageSizeNames.Of(point.GuestPages), PageSizeNames.Of(point.HostPages),
                summaries, ResultsOf(point.Machine, options.Regimes, ofPoint))
            {
                Details = feed.Reuse() is { } reuse ? new ComparisonDetails(DetailsOf(point.Machine, options.Regimes, ofPoint), reuse) : null,
            }),
        ];
    }

    private static RegimeResult[] ResultsOf(MachineDescription machine, IReadOnlyList<Regime> regimes, RegimeSimulation[] simulations)
    {
        int native = regimes.ToList().IndexOf(Regime.Native);
        double? nativeCycles = native < 0
            ? null
            : ResultBuilder.Build(Regime.Native, machine, simulations[native], null).Cycles.Total;
        return [.. regimes.Zip(simulations, (regime, simulation) => ResultBuilder.Build(regime, machine, simulation, nativeCycles))];
    }

    private static RegimeDetails[] DetailsOf(MachineDescription machine, IReadOnlyList<Regime> regimes, RegimeSimulation[] simulations)
        => [.. regimes.Zip(simulations, (regime, simulation) => ResultBuilder.Details(regime, machine, simulation)!)];

    private static void Check(IReadOnlyList<ITraceReader> inputs, ComparisonOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfZero(inputs.Count, nameof(inputs));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(inputs.Count, MaxProcesses, nameof(inputs));
        ArgumentOutOfRangeException.ThrowIfZero(options.Regimes.Count, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Quantum, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Jobs, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfNegative(options.Warmup, nameof(options));
        ArgumentOutOfRangeException.ThrowIfNegative(options.References ?? 0, nameof(options));
    }
}
