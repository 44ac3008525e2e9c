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
        => throw new NotSupportedException();
}
