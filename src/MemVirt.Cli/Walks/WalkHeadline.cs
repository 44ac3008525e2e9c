using MemVirt.Cli.Rendering;
using MemVirt.Simulation.Explain;
using MemVirt.Simulation.Results;

namespace MemVirt.Cli.Walks;

/// <summary>What became of an access, in one line.</summary>
internal static class WalkHeadline
{
    internal static string Of(AccessExplanation access)
        => string.Join("; then ", access.Translations.Select(translation => Of(access.Regime, translation)));

    private static string Of(Regime regime, TranslationExplanation translation)
    {
        AttemptExplanation last = translation.Attempts[^1];
        if (last.IsHypothetical)
        {
            TlbLookup hit = last.Lookups[^1];
            return $"{WalkNames.Of(hit.Level)} hit, {Cycles(translation.Cycles)}";
        }

        WalkExplanation walk = last.Walk!;
        string made = NumberText.Line($"{walk.Reads} {(walk.Reads == 1 ? "reference" : "references")}");
        string skipped = walk.Skipped > 0 ? NumberText.Line($" of {walk.References.Count}") : "";
        if (!walk.IsComplete)
        {
            WalkFault fault = last.Injected is { } injected ? FaultWords.Injected(injected, walk.Address) : FaultWords.Of(regime, walk)!;
            return $"{made}{skipped}, then {fault.Name}{(last.Injected is null ? "" : " injected")}"
                + $"{(fault.Fields[0].Bits.Count > 0 ? $", {fault.Fields[0].Name} {fault.Fields[0].Value}" : "")}";
        }

        int faults = translation.Attempts.Count - 1;
        string after = faults == 0 ? "" : NumberText.Line($"{faults} {(faults == 1 ? "fault" : "faults")}, then ");
        return $"{after}{made}{skipped}, {Cycles(translation.Cycles)}, to host-physical {FaultWords.Hex(walk.HostPhysical)} "
            + $"in a {PageSizeNames.Of(walk.Outcome.Size)} page";
    }

    internal static string Cycles(double cycles)
        => cycles == 0 ? "no cycles" : NumberText.Line($"{cycles:#,0.##} {(cycles == 1 ? "cycle" : "cycles")}");
}
