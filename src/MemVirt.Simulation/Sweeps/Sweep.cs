using MemVirt.Core.Addresses;
using MemVirt.Simulation.Engine;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Sweeps;

/// <summary>Runs comparisons over traces, machines, second-level TLBs and page sizes; each trace is decoded once for many points.</summary>
public static class Sweep
{
    /// <summary>Points simulated side by side: a trace is decoded again for more.</summary>
    public const int PointsAtOnce = 128;

    /// <summary>Runs a sweep or a part of it.</summary>
    /// <param name="definition">What the whole sweep covers.</param>
    /// <param name="shard">Which part to run; null for all.</param>
    /// <param name="machines">The machines of the definition, in its order.</param>
    /// <param name="open">Opens a trace; called for each group of points.</param>
    /// <param name="jobs">Threads.</param>
    /// <param name="progress">Told after each batch, from any worker; may be null. Counts are of the group of points in hand.</param>
    /// <param name="cancellation">Stops the run with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="TraceException">A trace is damaged.</exception>
    /// <exception cref="MachineException">A machine cannot have a second-level TLB of a size asked for.</exception>
    public static SweepResult Run(
        SweepDefinition definition, SweepShard? shard, IReadOnlyList<MachineDescription> machines, Func<string, ITraceReader> open, int jobs,
        Action<ComparisonProgress>? progress = null, CancellationToken cancellation = default)
    {
        ComparisonPoint[] points = [.. PointsOf(definition, machines)];
        Regime[] regimes = [.. definition.Regimes.Select(RegimeOf)];
        var options = new ComparisonOptions
        {
            Machines = machines, Regimes = regimes, References = definition.References, Warmup = definition.Warmup, Jobs = jobs,
        };
        (int first, int end) = (shard ?? new SweepShard(1, 1)).PointsOf(definition.Points);
        var rows = new List<SweepRow>();
        while (first < end)
        {
            int trace = first / points.Length;
            int from = first % points.Length;
            int count = Math.Min(Math.Min(end - first, points.Length - from), PointsAtOnce);
            string path = definition.Traces[trace].Path;
            using ITraceReader input = open(path);
            ComparisonPoint[] group = points[from..(from + count)];
            IReadOnlyList<ComparisonResult> results = Comparison.RunPoints([input], group, options, progress, cancellation);
            for (int i = 0; i < count; i++)
            {
                rows.AddRange(results[i].Regimes.Select(regime => RowOf(first + i, path, group[i], results[i], regime)));
            }

            first += count;
        }

        return new SweepResult(definition, shard, rows);
    }

    /// <summary>The points of one trace, page sizes of the VMM innermost.</summary>
    private static IEnumerable<ComparisonPoint> PointsOf(SweepDefinition definition, IReadOnlyList<MachineDescription> machines)
        => from machine in machines
           from entries in definition.L2TlbEntries
           let sized = entries == 0 ? machine : SecondLevelTlb.WithEntries(machine, entries)
           from guest in definition.GuestPages
           from host in definition.HostPages
           select new ComparisonPoint(sized, SizeOf(guest), SizeOf(host));

    private static PageSize SizeOf(string name)
        => PageSizeNames.TryParse(name, out PageSize size) ? size : throw new SweepException($"there is no page size {name}; write 4k, 2m or 1g");

    private static Regime RegimeOf(string name)
        => RegimeNames.TryParse(name, out Regime regime) ? regime : throw new SweepException($"there is no regime {name}");

    private static SweepRow RowOf(int point, string trace, ComparisonPoint at, ComparisonResult result, RegimeResult regime)
    {
        return new SweepRow(
            point,
            trace,
            result.Machine,
            SecondLevelTlb.EntriesOf(at.Machine),
            result.GuestPages,
            result.HostPages,
            regime.Regime,
            regime.References,
            regime.Tlb.L1i.Misses,
            regime.Tlb.L1d.Misses,
            regime.Tlb.L2.Misses,
            regime.Walks,
            regime.WalkReferences.Total,
            ResultBuilder.Sum(regime.WalkCacheHits),
            regime.Events.GuestPageFaults,
            regime.Events.Exits,
            regime.Cycles.Base,
            regime.Cycles.Tlb,
            regime.Cycles.Walk,
            regime.Cycles.Faults,
            regime.Cycles.Exits,
            regime.Cycles.Total,
            regime.Cycles.PerReference,
            regime.Cycles.OverheadVsNative);
    }
}
