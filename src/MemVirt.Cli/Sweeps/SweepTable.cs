using MemVirt.Cli.Rendering;
using MemVirt.Simulation.Sweeps;

namespace MemVirt.Cli.Sweeps;

/// <summary>A sweep for people: a line a point, native's cycles a reference and what each regime adds, the cheapest marked.</summary>
internal static class SweepTable
{
    private const int NumberWidth = 11;
    private static readonly string[] Headings = ["machine", "L2 TLB", "guest", "host"];

    public static void Write(SweepResult sweep, CommandContext context)
    {
        IReadOnlyList<string> regimes = sweep.Definition.Regimes;
        int machine = Math.Max(Headings[0].Length, sweep.Definition.Machines.Max(each => each.Name.Length));
        foreach (IGrouping<string, SweepRow> trace in sweep.Rows.GroupBy(row => row.Trace))
        {
            context.Output.WriteLine(NumberText.Line($"{trace.Key}: {trace.First().References:N0} references"));
            context.Output.WriteLine(
                $"  {Headings[0].PadRight(machine)}{Headings[1],8}  {Headings[2],-6}{Headings[3],-5}"
                + string.Concat(regimes.Select(regime => HeadingOf(regime).PadLeft(NumberWidth))));
            foreach (SweepRow[] point in trace.Chunk(regimes.Count))
            {
                SweepRow first = point[0];
                double? least = point.Where(row => row.Regime != "native").Min(row => (double?)row.CyclesPerReference);
                context.Output.WriteLine(
                    $"  {first.Machine.PadRight(machine)}{first.L2TlbEntries,8}  {first.GuestPages,-6}{first.HostPages,-5}"
                    + string.Concat(point.Select(row => CellOf(row, least).PadLeft(NumberWidth))));
            }

            context.Output.WriteLine();
        }

        context.Output.WriteLine("native: cycles a reference; others: what they add to native's, * the least" + PartOf(sweep));
    }

    private static string HeadingOf(string regime) => regime is "ept" or "npt" ? regime.ToUpperInvariant() : regime;

    private static string CellOf(SweepRow row, double? least)
    {
        string mark = row.Regime != "native" && row.CyclesPerReference == least ? "*" : " ";
        string text = row.Regime != "native" && row.OverheadVsNative is { } overhead
            ? NumberText.Change(overhead)
            : NumberText.Fixed(row.CyclesPerReference);
        return text + mark;
    }

    private static string PartOf(SweepResult sweep)
        => sweep.Shard is { } shard ? $"; part {shard.Part} of {shard.Of}, for `memvirt merge`" : "";
}
