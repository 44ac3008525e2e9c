using MemVirt.Simulation.Results;

namespace MemVirt.Cli.Rendering;

/// <summary>The comparison's numbers as rows of text, a column a regime.</summary>
internal static class ComparisonRows
{
    public static IReadOnlyList<TableRow> Of(ComparisonResult result, bool hasWalkCaches)
    {
        IReadOnlyList<RegimeResult> regimes = result.Regimes;
        var rows = new List<TableRow>();
        void Add(string label, Func<RegimeResult, string> cell, RowWeight weight = RowWeight.Normal, bool group = false)
            => rows.Add(new TableRow(label, regimes.Select(cell).ToList(), weight, group));
        void Rate(Func<RegimeResult, HitMissCounts> level) => Add("  of look-ups", regime => Missed(level(regime)), RowWeight.Detail);

        Add("L1I TLB misses", regime => NumberText.Cell(regime.Tlb.L1i.Misses));
        Rate(regime => regime.Tlb.L1i);
        Add("L1D TLB misses", regime => NumberText.Cell(regime.Tlb.L1d.Misses));
        Rate(regime => regime.Tlb.L1d);
        Add("L2 TLB misses", regime => NumberText.Cell(regime.Tlb.L2.Misses));
        Rate(regime => regime.Tlb.L2);

        Add("Walks", regime => NumberText.Cell(regime.Walks), group: true);
        Add("  references a walk", regime => NumberText.Fixed(regime.WalkReferences.PerWalk));
        Add("  references in all", regime => NumberText.Cell(regime.WalkReferences.Total), RowWeight.Detail);
        if (hasWalkCaches)
        {
            Add("  walk-cache hits", regime => NumberText.Cell(Hits(regime.WalkCacheHits)), RowWeight.Detail);
        }

        Add("Guest page faults", regime => NumberText.Cell(regime.Events.GuestPageFaults), group: true);
        Add("VM exits", regime => NumberText.Cell(regime.Events.Exits));
        foreach (ExitKind kind in ExitKinds.Seen(regimes))
        {
            Add("  " + kind.Label, regime => NumberText.Cell(kind.Of(regime)), RowWeight.Detail);
        }

        Add("Cycles a reference", regime => NumberText.Fixed(regime.Cycles.PerReference), RowWeight.Result, group: true);
        foreach (CyclePart part in CycleParts.All)
        {
            Add("  " + part.Label, regime => NumberText.Ratio(part.Of(regime.Cycles), regime.References), RowWeight.Detail);
        }

        if (regimes.Any(regime => regime.Cycles.OverheadVsNative is not null))
        {
            Add("Overhead over native", Overhead, RowWeight.Result);
        }

        Add("Simulated, M refs/s", regime => NumberText.Fixed(regime.Simulation.ReferencesPerSecond / 1e6), RowWeight.Detail, group: true);
        return rows;
    }

    private static string Missed(HitMissCounts counts) => NumberText.Percent(counts.Misses, counts.Hits + counts.Misses);

    private static long Hits(WalkCacheHitCounts hits)
        => hits.Pml4e + hits.Pdpte + hits.Pde + hits.NestedTlb + hits.NestedPml4e + hits.NestedPdpte + hits.NestedPde;

    private static string Overhead(RegimeResult regime)
        => regime.Regime == "native" || regime.Cycles.OverheadVsNative is not double overhead ? "—" : NumberText.Change(overhead);
}
