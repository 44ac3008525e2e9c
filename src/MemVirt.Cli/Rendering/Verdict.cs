using MemVirt.Simulation.Results;

namespace MemVirt.Cli.Rendering;

/// <summary>Says who won, and why, in sentences.</summary>
internal static class Verdict
{
    private static readonly SimulationCost NoCost = new(0, 0, 0);

    public static IReadOnlyList<string> Of(ComparisonResult result)
    {
        RegimeResult? native = result.Regimes.FirstOrDefault(regime => regime.Regime == "native");
        List<Contender> contenders = Contenders(result.Regimes);
        var sentences = new List<string>();
        if (contenders.Count == 0 || contenders[0].Regime.References == 0)
        {
            return sentences;
        }

        Contender winner = contenders[0];
        string verb = winner.IsPlural ? "are" : "is";
        string head = contenders.Count == 1
            ? $"{winner.Name} {(winner.IsPlural ? "cost" : "costs")} {Cost(winner, native)}{Why(winner, native)}"
            : $"{winner.Name} {verb} cheapest under virtualization here: {Cost(winner, native)}{Why(winner, native)}";
        IEnumerable<string> others = contenders.Skip(1).Select(
            other => $"{other.Name} {(other.IsPlural ? "pay" : "pays")} {Cost(other, native)}{Why(other, native ?? winner.Regime)}");
        string sentence = string.Join("; ", others.Prepend(head)) + ".";
        sentences.Add(char.ToUpperInvariant(sentence[0]) + sentence[1..]);
        if (contenders.Exists(contender => contender.IsPlural))
        {
            sentences.Add(
                "EPT and NPT count alike on one machine: same walks, same exits. What tells vendors apart is in their machines' "
                + "walk caches; compare --machine skylake,zen4 shows it.");
        }

        return sentences;
    }

    /// <summary>The virtualized regimes, cheapest first; EPT and NPT are one where every count is the same.</summary>
    private static List<Contender> Contenders(IReadOnlyList<RegimeResult> regimes)
    {
        RegimeResult? ept = regimes.FirstOrDefault(regime => regime.Regime == "ept");
        RegimeResult? npt = regimes.FirstOrDefault(regime => regime.Regime == "npt");
        bool alike = ept is not null && npt is not null
            && ept with { Regime = "", Simulation = NoCost } == npt with { Regime = "", Simulation = NoCost };
        return regimes
            .Where(regime => regime.Regime != "native" && !(alike && regime.Regime == "npt"))
            .Select(regime => alike && regime.Regime == "ept"
                ? new Contender("EPT and NPT", regime, IsPlural: true)
                : new Contender(NameOf(regime), regime, IsPlural: false))
            .OrderBy(contender => contender.Regime.Cycles.Total)
            .ToList();
    }

    private static string NameOf(RegimeResult regime)
        => regime.Regime == "shadow" ? "shadow paging" : regime.Regime.ToUpperInvariant();

    private static string Cost(Contender contender, RegimeResult? native)
        => native is null || contender.Regime.Cycles.OverheadVsNative is not double overhead
            ? $"{NumberText.Fixed(contender.Regime.Cycles.PerReference)} cycles a reference"
            : $"{NumberText.Change(overhead)} over native";

    /// <summary>The part of the cycles that makes the difference to another regime.</summary>
    private static string Why(Contender contender, RegimeResult? other)
    {
        RegimeResult regime = contender.Regime;
        if (other is null || ReferenceEquals(other, regime) || CycleParts.GrewMost(other.Cycles, regime.Cycles) is not { } part)
        {
            return "";
        }

        return part.Label switch
        {
            "exits" => $", most of it for exits ({NumberText.Count(regime.Events.Exits)}, first of all {ExitKinds.MostFrequent(regime).Label})",
            "walks" => $", most of it for page walks ({NumberText.Fixed(regime.WalkReferences.PerWalk)} references each"
                + $" against {NumberText.Fixed(other.WalkReferences.PerWalk)})",
            _ => $", most of it for {part.Phrase}",
        };
    }

    private sealed record Contender(string Name, RegimeResult Regime, bool IsPlural);
}
