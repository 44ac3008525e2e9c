using MemVirt.Cpu.Spaces;

namespace MemVirt.Cli.Guests;

/// <summary>What a <c>memvirt run</c> command line asks for, checked.</summary>
/// <param name="Guest">The guest.</param>
/// <param name="Regime">How its addresses are translated.</param>
/// <param name="RegimeName">The same, as it is written.</param>
/// <param name="IsRealTime">Whether virtual time keeps to the clock.</param>
/// <param name="LogsUnimplemented">Whether instructions that are not implemented are listed.</param>
/// <param name="MaxInstructions">When to stop it; null for never.</param>
/// <param name="JsonPath">Where the summary goes as JSON, <c>-</c> for standard output; null for nowhere.</param>
internal sealed record RunRequest(
    GuestRequest Guest, GuestRegime Regime, string RegimeName, bool IsRealTime, bool LogsUnimplemented, long? MaxInstructions, string? JsonPath);
