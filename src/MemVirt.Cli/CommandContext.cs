using MemVirt.Simulation;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Cli;

/// <summary>The engine as the commands call it; tests put another one in its place.</summary>
internal delegate IReadOnlyList<ComparisonResult> ComparisonEngine(
    IReadOnlyList<ITraceReader> inputs, ComparisonOptions options, Action<ComparisonProgress>? progress, CancellationToken cancellation);

/// <summary>What a command may touch of the process it runs in.</summary>
internal sealed class CommandContext
{
    /// <summary>Results go here and nothing else.</summary>
    public required TextWriter Output { get; init; }

    /// <summary>Errors, notes and progress.</summary>
    public required TextWriter Error { get; init; }

    public bool OutputIsTerminal { get; init; }

    public bool ErrorIsTerminal { get; init; }

    /// <summary>Columns of the terminal; what a redirected output is laid out for, too.</summary>
    public int Width { get; init; } = 80;

    public CancellationToken Cancellation { get; init; }

    public ComparisonEngine Compare { get; init; } = Comparison.Run;

    public RunStatus Status { get; } = new();
}
