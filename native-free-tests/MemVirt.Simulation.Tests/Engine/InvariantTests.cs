using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Tests.Support;

namespace MemVirt.Simulation.Tests.Engine;

public class InvariantTests
{
    public static TheoryData<string> AllMachines => [.. MachinePresets.Names, "odd", "odd-intel"];

    internal static MachineDescription Machine(string name) => name switch
    {
        "odd" => TestMachines.Parse(TestMachines.Odd),
        "odd-intel" => TestMachines.Parse(TestMachines.OddIntel),
        _ => MachinePresets.Load(name),
    };

    [Theory]
    [MemberData(nameof(AllMachines))]
    public void Lookups_of_the_first_level_are_translations_and_faults(string machine)
    {
        Assert.All(Run(machine, jobs: 1)[0].Regimes, regime =>
        {
            long lookups = regime.Tlb.L1i.Hits + regime.Tlb.L1i.Misses + regime.Tlb.L1d.Hits + regime.Tlb.L1d.Misses;
            Assert.Equal(regime.Translations + regime.FaultedWalks.Count, lookups);
            Assert.Equal(
                regime.Walks + regime.FaultedWalks.Count,
                regime.Tlb.L2 is { Hits: 0, Misses: 0 } ? regime.Tlb.L1i.Misses + regime.Tlb.L1d.Misses : regime.Tlb.L2.Misses);
        });
    }

    [Theory]
    [MemberData(nameof(AllMachines))]
    public void Ept_and_npt_count_alike_on_one_machine(string machine)
    {
        IReadOnlyList<RegimeResult> regimes = Run(machine, jobs: 1)[0].Regimes;
        Assert.Equal(Flat.Numbers(regimes[2]), Flat.Numbers(regimes[3]));
    }

    [Theory]
    [MemberData(nameof(AllMachines))]
    public void Counts_do_not_depend_on_the_number_of_jobs(string machine)
        => Assert.Equal(Flat.Text(Run(machine, jobs: 1)), Flat.Text(Run(machine, jobs: 4)));

    [Fact]
    public void Machines_of_one_run_count_as_in_runs_of_their_own()
    {
        string[] names = ["teaching", "skylake", "zen5"];
        ComparisonOptions options = Options(names.Select(Machine).ToArray(), jobs: 2);
        string together = Flat.Text(Comparison.Run(Inputs(), options));
        string apart = string.Join('\n', names.Select(name => Flat.Text(Run(name, jobs: 1))));
        Assert.Equal(apart, together);
    }

    [Fact]
    public void Processes_take_turns_and_a_switch_is_counted_only_when_another_runs()
    {
        var options = new ComparisonOptions { Machines = [MachinePresets.Load("teaching")], Quantum = 100 };
        MemoryTrace[] inputs = [Trace(1, 250), Trace(2, 100), Trace(3, 1)];

        // Turns: 1 (100), 2 (100), 3 (1), 1 (100), 1 (50): the process that is left runs on without a switch.
        Assert.All(Comparison.Run(inputs, options)[0].Regimes, regime => Assert.Equal(3, regime.Events.ContextSwitches));
    }

    [Fact]
    public void Each_process_has_its_own_address_space()
    {
        var options = new ComparisonOptions { Machines = [MachinePresets.Load("teaching")], Quantum = 10 };
        RegimeResult alone = Comparison.Run([Trace(1, 500)], options)[0].Regimes[0];
        RegimeResult twice = Comparison.Run([Trace(1, 500), Trace(1, 500)], options)[0].Regimes[0];
        Assert.Equal(2 * alone.Events.GuestPageFaults, twice.Events.GuestPageFaults);
    }

    [Theory]
    [InlineData(1_000)]
    [InlineData(32_768)]
    [InlineData(33_333)]
    public void The_warmup_ends_at_its_reference_exactly(int warmup)
    {
        var whole = new ComparisonOptions { Machines = [Machine("odd")] };
        ComparisonResult all = Comparison.Run([Trace(9, 50_000)], whole)[0];
        ComparisonResult head = Comparison.Run([Trace(9, 50_000)], whole with { References = warmup })[0];
        ComparisonResult tail = Comparison.Run([Trace(9, 50_000)], whole with { Warmup = warmup })[0];
        Assert.Equal(50_000, tail.Inputs[0].References);
        foreach ((RegimeResult sum, RegimeResult first, RegimeResult second) in all.Regimes.Zip(head.Regimes, tail.Regimes))
        {
            Assert.Equal(50_000 - warmup, second.References);
            Assert.Equal(sum.Walks, first.Walks + second.Walks);
            Assert.Equal(sum.Tlb.L1d.Hits, first.Tlb.L1d.Hits + second.Tlb.L1d.Hits);
            Assert.Equal(sum.FaultedWalks.References, first.FaultedWalks.References + second.FaultedWalks.References);
            Assert.Equal(sum.Cycles.Total, first.Cycles.Total + second.Cycles.Total, precision: 3);
        }
    }

    [Fact]
    public void Simulating_pages_that_are_mapped_already_allocates_nothing()
    {
        // Twice the same references, so that the second half touches no new page; the counters start after the first.
        var twice = RandomTraces.Create(4, 30_000).Concat(RandomTraces.Create(4, 30_000)).ToArray();
        var options = new ComparisonOptions { Machines = [Machine("odd"), Machine("skylake")] };
        // The runtime itself allocates a little on this thread while it compiles the loop again; an engine that allocates does so
        // in every attempt.
        var clean = new HashSet<int>();
        for (int attempt = 0; attempt < 40 && clean.Count < 8; attempt++)
        {
            long[] both = Allocated(Comparison.Run([new MemoryTrace(twice)], options));
            long[] once = Allocated(Comparison.Run([new MemoryTrace(twice)], options with { References = 30_000 }));
            clean.UnionWith(Enumerable.Range(0, both.Length).Where(regime => both[regime] == once[regime]));
        }

        Assert.Equal(Enumerable.Range(0, 8), clean.Order());
    }

    private static long[] Allocated(IReadOnlyList<ComparisonResult> results)
        => [.. results.SelectMany(result => result.Regimes).Select(regime => regime.Simulation.AllocatedBytes)];

    private static IReadOnlyList<ComparisonResult> Run(string machine, int jobs)
        => Comparison.Run(Inputs(), Options([Machine(machine)], jobs));

    private static ComparisonOptions Options(MachineDescription[] machines, int jobs)
        => new() { Machines = machines, Jobs = jobs, Quantum = 777, Warmup = 1_234 };

    private static MemoryTrace[] Inputs() => [Trace(11, 40_000), Trace(12, 60_000)];

    private static MemoryTrace Trace(int seed, int references) => new(RandomTraces.Create(seed, references));
}
