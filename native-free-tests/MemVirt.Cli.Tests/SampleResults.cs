using MemVirt.Simulation.Results;

namespace MemVirt.Cli.Tests;

/// <summary>Results made by hand, of the size that real ones have.</summary>
internal static class SampleResults
{
    public static RegimeResult Regime(
        string name,
        double walk,
        double exitCycles,
        EventCounts events,
        WalkReferenceCounts references,
        double? overhead,
        WalkCacheHitCounts? walkCacheHits = null)
    {
        double total = 1_010_862 + 147_000 + walk + 1_090_800 + exitCycles;
        return new RegimeResult(
            name,
            2_000_000,
            2_000_863,
            new TlbCounts(new HitMissCounts(1_443_011, 2_264), new HitMissCounts(531_485, 25_012), new HitMissCounts(20_996, 6_280)),
            5_371,
            references,
            new FaultedWalkCounts(909, 2_000),
            walkCacheHits ?? new WalkCacheHitCounts(0, 0, 0, 0, 0, 0, 0),
            events,
            new CycleCounts(1_010_862, 147_000, walk, 1_090_800, exitCycles, total, total / 2_000_000, overhead),
            new SimulationCost(0.02, 83_500_000, 0));
    }

    public static EventCounts Events(
        long secondStage = 0, long shadow = 0, long dirty = 0, long tableWrites = 0, long unsyncs = 0, long exits = 0)
        => new(909, 932, 0, secondStage, shadow, dirty, tableWrites, unsyncs, 0, exits);

    public static RegimeResult Native { get; } =
        Regime("native", 300_776, 0, Events(), new WalkReferenceCounts(21_484, 0, 0, 21_484, 4), 0);

    public static RegimeResult Shadow { get; } = Regime(
        "shadow", 300_776, 5_000_000, Events(0, 909, 39, 20, 18, 1_895), new WalkReferenceCounts(0, 0, 21_484, 21_484, 4), 1.96);

    public static RegimeResult Ept { get; } = Regime(
        "ept", 1_804_656, 1_000_000, Events(933, exits: 933), new WalkReferenceCounts(21_484, 107_420, 0, 128_904, 24), 0.981);

    public static RegimeResult Npt { get; } = Ept with { Regime = "npt", Simulation = new SimulationCost(1, 2, 3) };

    public static ComparisonResult Four(string machine = "teaching") => Of(machine, Native, Shadow, Ept, Npt);

    public static ComparisonResult Of(string machine, params RegimeResult[] regimes) => new(
        machine,
        "4k",
        "4k",
        [new InputSummary("gcc-cc1-20m.lackey.xz", "lackey", 2_000_000, 1_444_089, 323_592, 232_319, 863, 909)],
        regimes);
}
