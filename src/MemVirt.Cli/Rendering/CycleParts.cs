using MemVirt.Simulation.Results;

namespace MemVirt.Cli.Rendering;

/// <summary>One part of the cycles.</summary>
/// <param name="Label">Its row in the table.</param>
/// <param name="Phrase">Its name in a sentence.</param>
/// <param name="Of">Its cycles.</param>
internal sealed record CyclePart(string Label, string Phrase, Func<CycleCounts, double> Of);

/// <summary>The parts that cycles are split into.</summary>
internal static class CycleParts
{
    public static IReadOnlyList<CyclePart> All { get; } =
    [
        new("base", "data-cache misses", cycles => cycles.Base),
        new("L2 TLB hits", "L2-TLB hits", cycles => cycles.Tlb),
        new("walks", "page walks", cycles => cycles.Walk),
        new("faults, switches", "the guest's own faults", cycles => cycles.Faults),
        new("exits", "exits", cycles => cycles.Exits),
    ];

    /// <summary>The part that grew most from one regime to another; null where none grew.</summary>
    public static CyclePart? GrewMost(CycleCounts from, CycleCounts to)
    {
        CyclePart most = All.MaxBy(part => part.Of(to) - part.Of(from))!;
        return most.Of(to) > most.Of(from) ? most : null;
    }
}
