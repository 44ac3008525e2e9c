using MemVirt.Simulation;

namespace MemVirt.Cli.Commands;

/// <summary>What a <c>memvirt compare</c> command line asks for, checked.</summary>
/// <param name="Traces">The traces of one guest; empty for the built-in ones, one guest each.</param>
/// <param name="Options">How to compare.</param>
/// <param name="JsonPath">Where the JSON goes, <c>-</c> for standard output; null for none.</param>
/// <param name="ShowProgress">Whether a progress bar may be shown.</param>
internal sealed record CompareRequest(
    IReadOnlyList<string> Traces, ComparisonOptions Options, string? JsonPath, bool ShowProgress);
