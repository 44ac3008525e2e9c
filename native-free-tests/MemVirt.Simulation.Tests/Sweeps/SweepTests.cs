using MemVirt.Core.Addresses;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Sweeps;
using MemVirt.Simulation.Tests.Support;
using MemVirt.Simulation.Traces;
using Xunit;

namespace MemVirt.Simulation.Tests.Sweeps;

public class SweepTests
{
    private static readonly MachineDescription[] Machines = [MachinePresets.Load("skylake"), MachinePresets.Load("zen4")];

    private static readonly SweepDefinition Definition = new()
    {
        Traces = [new SweepTrace("1", 8), new SweepTrace("2", 8)],
        Machines = [new SweepMachine("skylake", "a"), new SweepMachine("zen4", "b")],
        L2TlbEntries = [0, 48],
        GuestPages = ["4k", "2m"],
        HostPages = ["2m", "4k"],
        Regimes = ["native", "shadow", "ept"],
        References = 4_000,
        Warmup = 500,
    };

    [Fact]
    public void Each_row_is_what_a_comparison_of_its_own_says()
    {
        SweepResult sweep = Run(null);
        Assert.Equal(2 * 2 * 2 * 2 * 2 * 3, sweep.Rows.Count);
        int row = 0;
        foreach (string trace in new[] { "1", "2" })
        {
            foreach (MachineDescription machine in Machines)
            {
                foreach (int entries in new[] { 0, 48 })
                {
                    foreach (PageSize guest in new[] { PageSize.Size4K, PageSize.Size2M })
                    {
                        foreach (PageSize host in new[] { PageSize.Size2M, PageSize.Size4K })
                        {
                            MachineDescription sized = entries == 0 ? machine : SecondLevelTlb.WithEntries(machine, entries);
                            foreach (RegimeResult regime in Alone(trace, sized, guest, host))
                            {
                                SweepRow found = sweep.Rows[row++];
                                Assert.Equal(
                                    (trace, machine.Name, SecondLevelTlb.EntriesOf(sized), regime.Regime),
                                    (found.Trace, found.Machine, found.L2TlbEntries, found.Regime));
                                Assert.Equal(
                                    (regime.Walks, regime.WalkReferences.Total, regime.Tlb.L2.Misses, regime.Events.Exits, regime.Cycles.Total),
                                    (found.Walks, found.WalkReferences, found.L2TlbMisses, found.Exits, found.Cycles));
                            }
                        }
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(32)]
    public void Parts_joined_in_any_order_are_the_whole_to_the_byte(int of)
    {
        (string, SweepResult)[] parts =
            [.. Enumerable.Range(1, of).Reverse().Select(part => ($"{part}", Reread(Run(new SweepShard(part, of)))))];
        SweepResult joined = SweepMerge.Join(parts);
        SweepResult whole = Run(null);
        Assert.Equal(Json(whole), Json(joined));
        Assert.Equal(Csv(whole), Csv(joined));
    }

    [Fact]
    public void Whatever_the_number_of_parts_each_point_is_in_one()
    {
        for (int points = 1; points < 60; points++)
        {
            for (int of = 1; of <= points; of++)
            {
                int next = 0;
                for (int part = 1; part <= of; part++)
                {
                    (int first, int end) = new SweepShard(part, of).PointsOf(points);
                    Assert.Equal(next, first);
                    Assert.True(end > first, "a part is empty");
                    next = end;
                }

                Assert.Equal(points, next);
            }
        }
    }

    [Fact]
    public void What_is_wrong_with_parts_is_said()
    {
        SweepResult[] parts = [.. Enumerable.Range(1, 3).Select(part => Run(new SweepShard(part, 3)))];
        SweepResult other = parts[1] with { Definition = Definition with { Warmup = 501 } };
        SweepResult changed = parts[1] with { Definition = Definition with { Machines = [new("skylake", "a"), new("zen4", "c")] } };
        SweepResult cut = parts[1] with { Rows = [.. parts[1].Rows.Skip(1)] };
        SweepResult swapped = parts[1] with { Rows = [.. parts[1].Rows.Reverse()] };
        Fails("of 3 parts 2 is missing; run `memvirt sweep … --shard 2/3` again", parts[0], parts[2]);
        Fails("of 3 parts 1, 2 are missing", parts[2]);
        Fails("b: is part 1 of 3, and so is a", parts[0], parts[0], parts[1]);
        Fails("b: is a part of another sweep than a", parts[0], other, parts[2]);
        Fails("b: is a part of another sweep than a", parts[0], changed, parts[2]);
        Fails("b: is a part of another sweep than a", parts[0], Run(new SweepShard(2, 4)), parts[2]);
        Fails("b: does not hold all of part 2 of 3; run `memvirt sweep … --shard 2/3` again", parts[0], cut, parts[2]);
        Fails("b: does not hold all of part 2 of 3", parts[0], swapped, parts[2]);
        Fails("b: says that it is part 4 of 3", parts[0], parts[1] with { Shard = new SweepShard(4, 3) });
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"schema\": \"memvirt.compare/1\", \"rows\": []}")]
    [InlineData("{\"schema\": \"memvirt.sweep/1\", \"rows\": [")]
    public void What_is_no_sweep_is_refused(string text)
    {
        using var stream = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(text));
        Assert.StartsWith("x.json: is ", Assert.Throws<SweepException>(() => SweepResult.Read(stream, "x.json")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_second_level_keeps_its_ways_and_folds_only_powers_of_two()
    {
        MachineDescription larger = SecondLevelTlb.WithEntries(Machines[0], 12 * 64);
        Assert.Equal((768, 12, SetIndex.Xor), (larger.Tlb.L2[0].Entries, larger.Tlb.L2[0].Ways, larger.Tlb.L2[0].Index));
        Assert.Equal(SetIndex.Modulo, SecondLevelTlb.WithEntries(Machines[0], 12 * 65).Tlb.L2[0].Index);
        Assert.Equal(Machines[0].Tlb.L2[1], larger.Tlb.L2[1]);
        Assert.Contains("no multiple", Assert.Throws<MachineException>(() => SecondLevelTlb.WithEntries(Machines[0], 1000)).Message, StringComparison.Ordinal);
        MachineDescription without = Machines[0] with { Tlb = Machines[0].Tlb with { L2 = [] } };
        Assert.Contains("no second-level TLB", Assert.Throws<MachineException>(() => SecondLevelTlb.WithEntries(without, 12)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_with_commas_are_quoted()
    {
        SweepResult sweep = Run(new SweepShard(1, 32));
        string csv = Csv(sweep with { Rows = [sweep.Rows[0] with { Trace = "a,\"b\".mvt" }] });
        Assert.StartsWith("0,\"a,\"\"b\"\".mvt\",skylake,1536,4k,2m,native,3500,", csv.Split('\n')[1], StringComparison.Ordinal);
    }

    private static SweepResult Run(SweepShard? shard) => Sweep.Run(Definition, shard, Machines, Open, jobs: 2);

    private static ITraceReader Open(string name)
        => new MemoryTrace(RandomTraces.Create(int.Parse(name, System.Globalization.CultureInfo.InvariantCulture), 5_000));

    private static IReadOnlyList<RegimeResult> Alone(string trace, MachineDescription machine, PageSize guest, PageSize host)
        => Comparison.Run([Open(trace)], new ComparisonOptions
        {
            Machines = [machine], GuestPages = guest, HostPages = host, References = 4_000, Warmup = 500,
            Regimes = [Regime.Native, Regime.Shadow, Regime.Ept],
        })[0].Regimes;

    private static void Fails(string message, params SweepResult[] parts)
    {
        (string, SweepResult)[] named = [.. parts.Select((part, index) => (((char)('a' + index)).ToString(), part))];
        Assert.StartsWith(message, Assert.Throws<SweepException>(() => SweepMerge.Join(named)).Message, StringComparison.Ordinal);
    }

    private static SweepResult Reread(SweepResult sweep) => SweepResult.Read(new MemoryStream(Json(sweep)), "part");

    private static byte[] Json(SweepResult sweep)
    {
        var stream = new MemoryStream();
        sweep.Write(stream);
        return stream.ToArray();
    }

    private static string Csv(SweepResult sweep)
    {
        var text = new StringWriter();
        SweepCsv.Write(text, sweep);
        return text.ToString();
    }
}
