using MemVirt.Core.Addresses;
using MemVirt.Simulation.Engine;
using MemVirt.Simulation.Explain;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Tests.Support;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Tests.Engine;

/// <summary>What is said of why a TLB did not have an entry holds of the TLB's whole history.</summary>
public class MissCauseTests
{
    private const uint NativeContext = 1;

    [Theory]
    [InlineData("teaching")]
    [InlineData("odd")]
    [InlineData("odd-intel")]
    public void A_cause_is_true_of_what_the_TLB_held_after_every_earlier_reference(string name)
    {
        MachineDescription machine = InvariantTests.Machine(name);
        MemoryReference[] trace = [.. RandomTraces.Create(seed: 21, 150), .. RandomTraces.Create(seed: 21, 150)];
        RegimeSimulation simulation = RegimeFactory.Create(Regime.Native, machine, PageSize.Size4K, PageSize.Size4K, processes: 1);
        var everHeld = new HashSet<(TranslationCache, ulong)>();
        var seen = new HashSet<MissCause>();
        for (int at = 0; at < trace.Length; at++)
        {
            var options = new TraceExplainerOptions(at + 1, [Regime.Native], machine, PageSize.Size4K, PageSize.Size4K);
            TranslationExplanation explained = TraceExplainer.Explain(() => new MemoryTrace(trace), options).Accesses[0].Translations[0];
            ulong page = explained.Address >> 12;
            foreach (CacheMiss miss in explained.Misses.Where(miss => miss.Cache <= TranslationCache.L2))
            {
                seen.Add(miss.Cause);
                bool expected = miss.Cause is MissCause.Evicted or MissCause.Clean;
                Assert.Equal(expected, everHeld.Contains((miss.Cache, page)));
                Assert.Equal(miss.Cause == MissCause.FirstTouch, !trace[..at].Any(reference => Touches(reference, page)));
            }

            simulation.Run([trace[at]], process: 0);
            foreach (ulong touched in new[] { page, Last(trace[at]) })
            {
                Note(simulation.Hardware.L1i, TranslationCache.L1i, touched, everHeld);
                Note(simulation.Hardware.L1d, TranslationCache.L1d, touched, everHeld);
                Note(simulation.Hardware.L2, TranslationCache.L2, touched, everHeld);
            }
        }

        Assert.Superset(new HashSet<MissCause> { MissCause.FirstTouch, MissCause.FirstTouchOfKind, MissCause.Evicted, MissCause.Clean }, seen);
    }

    [Fact]
    public void A_region_touched_for_the_first_time_is_told_from_one_that_was_displaced()
    {
        // Two entries in the PML4E, three in the PDPTE, four in the PDE cache, in two sets: six regions displace the first.
        ulong[] regions = [0, 2, 4, 6, 8, 10, 0];
        MemoryReference[] trace = [.. regions.Select((region, at) => new MemoryReference(ReferenceKind.Load, (region << 21) + ((ulong)at << 12), 1))];
        MachineDescription machine = InvariantTests.Machine("odd-intel");
        CacheMiss[] causes = [.. Enumerable.Range(1, trace.Length).Select(number => TraceExplainer.Explain(
            () => new MemoryTrace(trace), new TraceExplainerOptions(number, [Regime.Native], machine, PageSize.Size4K, PageSize.Size4K))
            .Accesses[0].Translations[0].Misses.Single(miss => miss.Cache == TranslationCache.Pde))];
        Assert.All(causes[..^1], miss => Assert.Equal(new CacheMiss(TranslationCache.Pde, MissCause.FirstTouch, 0), miss));
        Assert.Equal(new CacheMiss(TranslationCache.Pde, MissCause.Evicted, 1), causes[^1]);
    }

    private static ulong Last(MemoryReference reference)
        => (reference.LinearAddress48 + (ulong)(reference.CrossesPage ? reference.SizeBytes - 1 : 0)) >> 12;

    private static bool Touches(MemoryReference reference, ulong page) => reference.LinearAddress48 >> 12 == page || Last(reference) == page;

    private static void Note(TlbLevel? level, TranslationCache name, ulong page, HashSet<(TranslationCache, ulong)> everHeld)
    {
        if (level?.Holder(page << 12, NativeContext, out _) >= 0)
        {
            everHeld.Add((name, page));
        }
    }
}
