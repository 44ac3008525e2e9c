using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Tests.Support;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Tests.Engine;

/// <summary>The table of counts at the end of docs/comparison-model.md, which an independent model gave.</summary>
public class ContractTableTests
{
    [SkippableFact]
    public void The_first_two_million_references_of_a_compiler_run_count_as_the_contract_says()
    {
        MemoryReference[] trace = SharedTraces.Head("gcc-cc1-20m", 2_000_000);
        ComparisonResult result = Assert.Single(Comparison.Run(
            [new MemoryTrace(trace)], new ComparisonOptions { Machines = [MachinePresets.Load("teaching")] }));

        InputSummary input = Assert.Single(result.Inputs);
        Assert.Equal((1_444_089, 323_592, 232_319), (input.InstructionFetches, input.Loads, input.Stores));
        Assert.Equal((863, 909), (input.Crossings, input.DistinctPages4k));
        Assert.All(result.Regimes, regime =>
        {
            Assert.Equal((1_443_011, 531_485, 20_996), (regime.Tlb.L1i.Hits, regime.Tlb.L1d.Hits, regime.Tlb.L2.Hits));
            Assert.Equal((5_371, 909, 932), (regime.Walks, regime.Events.GuestPageFaults, regime.Events.PageTableWrites));
        });
        RegimeResult native = result.Regimes[0];
        RegimeResult shadow = result.Regimes[1];
        Assert.Equal((2_264, 25_012, 6_280), Misses(native));
        Assert.Equal((2_614, 25_610, 7_228), Misses(shadow));
        Assert.Equal(21_484, native.WalkReferences.Total);
        Assert.Equal(21_484, shadow.WalkReferences.Total);
        Assert.Equal(0, native.Events.Exits);
        Assert.Equal(
            (909, 39, 20, 18, 1_895),
            (shadow.Events.ShadowFaults, shadow.Events.DirtyFaults, shadow.Events.ProtectedTableWrites, shadow.Events.Unsyncs,
                shadow.Events.Exits));
        Assert.All(result.Regimes.Skip(2), nested =>
        {
            Assert.Equal((2_624, 25_585, 7_213), Misses(nested));
            Assert.Equal(
                (21_484, 107_420, 128_904),
                (nested.WalkReferences.Guest, nested.WalkReferences.SecondStage, nested.WalkReferences.Total));
            Assert.Equal((933, 933), (nested.Events.SecondStageFaults, nested.Events.Exits));
        });
    }

    private static (long L1i, long L1d, long L2) Misses(RegimeResult regime)
        => (regime.Tlb.L1i.Misses, regime.Tlb.L1d.Misses, regime.Tlb.L2.Misses);
}
