using MemVirt.Core.Addresses;
using MemVirt.Simulation.Engine;
using MemVirt.Simulation.Explain;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Tests.Support;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Tests.Engine;

/// <summary>What <c>memvirt walk</c> explains of a trace is what the simulation does.</summary>
public class ObservedRunTests
{
    private static readonly (PageSize Guest, PageSize Host)[] Pages =
    [
        (PageSize.Size4K, PageSize.Size4K), (PageSize.Size2M, PageSize.Size4K), (PageSize.Size4K, PageSize.Size2M), (PageSize.Size2M, PageSize.Size2M),
        (PageSize.Size1G, PageSize.Size2M),
    ];

    public static TheoryData<string> AllMachines => InvariantTests.AllMachines;

    [Theory]
    [MemberData(nameof(AllMachines))]
    public void References_observed_one_by_one_count_as_in_the_hot_loop(string name)
    {
        MachineDescription machine = InvariantTests.Machine(name);
        MemoryReference[] trace = RandomTraces.Create(seed: 11, 3_000);
        foreach ((PageSize guest, PageSize host) in Pages)
        {
            foreach (Regime regime in RegimeNames.All)
            {
                RegimeSimulation plain = RegimeFactory.Create(regime, machine, guest, host, processes: 1);
                plain.Run(trace, process: 0);
                RegimeSimulation observed = RegimeFactory.Create(regime, machine, guest, host, processes: 1);
                observed.Run([], process: 0);
                var observer = new AccessObserver(regime, machine, observed);
                double cycles = 0;
                foreach (MemoryReference reference in trace)
                {
                    cycles += observer.Run(reference, hypothetical: -1).Sum(translation => translation.Cycles);
                }

                Assert.Equal(State(regime, plain), State(regime, observed));
                CycleCounts priced = ResultBuilder.Build(regime, machine, plain, null).Cycles;
                Assert.Equal(priced.Tlb + priced.Walk + priced.Faults + priced.Exits, cycles, 1e-6 * cycles);
            }
        }
    }

    [Theory]
    [InlineData("teaching")]
    [InlineData("skylake")]
    [InlineData("odd")]
    [InlineData("odd-intel")]
    public void Explanations_of_every_reference_of_a_trace_sum_up_to_its_comparison(string name)
    {
        MachineDescription machine = InvariantTests.Machine(name);
        MemoryReference[] trace = [.. RandomTraces.Create(seed: 3, 120), .. RandomTraces.Create(seed: 3, 120)];
        var options = new ComparisonOptions { Machines = [machine] };
        IReadOnlyList<RegimeResult> compared = Comparison.Run([new MemoryTrace(trace)], options)[0].Regimes;
        var sums = new Sums[compared.Count];
        for (int number = 1; number <= trace.Length; number++)
        {
            var explainer = new TraceExplainerOptions(number, options.Regimes, machine, options.GuestPages, options.HostPages);
            IReadOnlyList<AccessExplanation> explained = TraceExplainer.Explain(() => new MemoryTrace(trace), explainer);
            for (int i = 0; i < sums.Length; i++)
            {
                sums[i] = sums[i].With(explained[i]);
            }
        }

        Assert.Equal(compared.Select(Sums.Of), sums);
    }

    private static string State(Regime regime, RegimeSimulation simulation)
    {
        RegimeHardware hardware = simulation.Hardware;
        WalkMeter meter = hardware.Meter;
        return string.Join(
            ", ", hardware.L1i.Lookups, hardware.L1i.Misses, hardware.L1d.Lookups, hardware.L1d.Misses, hardware.L2?.Lookups, hardware.L2?.Misses,
            hardware.L2?.HitCycles, meter.Walks, meter.Guest, meter.SecondStage, meter.Shadow, meter.FaultedWalks, meter.FaultedReferences,
            ResultBuilder.CacheHits(hardware), hardware.Events.ToCounts(regime), hardware.DataCaches?.WalkCycles,
            hardware.DataCaches?.DataCyclesBeyondL1);
    }

    private readonly record struct Sums(
        long L1Misses, long L2Hits, long Walks, long Guest, long SecondStage, long Shadow, long FaultedWalks, long FaultedReads, long CacheHits,
        long Exits, long GuestPageFaults)
    {
        internal static Sums Of(RegimeResult result) => new(
            result.Tlb.L1i.Misses + result.Tlb.L1d.Misses, result.Tlb.L2.Hits, result.Walks, result.WalkReferences.Guest,
            result.WalkReferences.SecondStage, result.WalkReferences.Shadow, result.FaultedWalks.Count, result.FaultedWalks.References,
            ResultBuilder.Sum(result.WalkCacheHits), result.Events.Exits, result.Events.GuestPageFaults);

        internal Sums With(AccessExplanation access)
        {
            AttemptExplanation[] attempts = [.. access.Translations.SelectMany(translation => translation.Attempts)];
            TlbLookup[] lookups = [.. attempts.SelectMany(attempt => attempt.Lookups)];
            WalkExplanation[] made = [.. attempts.Where(attempt => !attempt.IsHypothetical).Select(attempt => attempt.Walk!)];
            WalkExplanation[] whole = [.. made.Where(walk => walk.IsComplete)];
            return new Sums(
                L1Misses + lookups.Count(lookup => lookup is { IsHit: false, Level: not TranslationCache.L2 }),
                L2Hits + lookups.Count(lookup => lookup is { IsHit: true, Level: TranslationCache.L2 }),
                Walks + whole.Length,
                Guest + Reads(whole, Core.Walking.TableKind.Guest),
                SecondStage + Reads(whole, Core.Walking.TableKind.SecondStage),
                Shadow + Reads(whole, Core.Walking.TableKind.Shadow),
                FaultedWalks + made.Length - whole.Length,
                FaultedReads + made.Except(whole).Sum(walk => walk.Reads),
                CacheHits + made.Sum(walk => walk.CacheHits.Count),
                Exits + attempts.Sum(attempt => attempt.Software.Exits),
                GuestPageFaults + attempts.Sum(attempt => attempt.Software.GuestPageFaults));
        }

        private static int Reads(WalkExplanation[] walks, Core.Walking.TableKind kind)
            => walks.Sum(walk => walk.References.Count(reference => !reference.IsSkipped && reference.Kind == kind));
    }
}
