using MemVirt.Cli.Guests;
using MemVirt.Simulation;

namespace MemVirt.Cli.Commands;

/// <summary>What a <c>memvirt compare</c> command line asks for, checked.</summary>
/// <param name="Traces">The traces of one guest; empty for the built-in ones, one guest each.</param>
/// <param name="Options">How to compare.</param>
/// <param name="JsonPath">Where the JSON goes, <c>-</c> for standard output; null for none.</param>
/// <param name="Report">The page to write; null for none.</param>
/// <param name="ShowProgress">Whether a progress bar may be shown.</param>
internal sealed record CompareRequest(
    IReadOnlyList<string> Traces, ComparisonOptions Options, string? JsonPath, ReportRequest? Report, bool ShowProgress)
{
    /// <summary>The guest to run in place of traces; null for none.</summary>
    public GuestRequest? Guest { get; init; }
}

/// <summary>A page to write.</summary>
/// <param name="Path">Where.</param>
/// <param name="Command">The command line that asked for it.</param>
/// <param name="Machines">The machines as named there.</param>
internal sealed record ReportRequest(string Path, string Command, IReadOnlyList<string> Machines);
