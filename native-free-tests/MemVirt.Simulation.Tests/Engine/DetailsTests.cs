using MemVirt.Core.Addresses;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Tests.Support;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Tests.Engine;

/// <summary>What a report shows besides: cells of walks, slices of time, page-reuse distances.</summary>
public class DetailsTests
{
    public static TheoryData<string, string, string> Points
    {
        get
        {
            var points = new TheoryData<string, string, string>();
            foreach (string machine in (string[])["teaching", "skylake", "zen4", "zen5", "odd", "odd-intel"])
            {
                points.Add(machine, "4k", "4k");
                points.Add(machine, "2m", "4k");
                points.Add(machine, "4k", "2m");
                points.Add(machine, "1g", "2m");
            }

            return points;
        }
    }

    [Theory]
    [MemberData(nameof(Points))]
    public void Details_change_no_count(string machine, string guestPages, string hostPages)
        => Assert.Equal(
            Flat.Text([Run(machine, guestPages, hostPages, details: false)]),
            Flat.Text([Run(machine, guestPages, hostPages, details: true) with { Details = null }]));

    [Theory]
    [MemberData(nameof(Points))]
    public void Cells_add_up_to_the_walks(string machine, string guestPages, string hostPages)
    {
        ComparisonResult result = Run(machine, guestPages, hostPages, details: true);
        foreach ((RegimeResult regime, RegimeDetails details) in result.Regimes.Zip(result.Details!.Regimes))
        {
            Assert.Equal(regime.Regime is "ept" or "npt" ? 24 : 4, details.Cells.Count);
            Assert.Equal(regime.WalkReferences.Total, details.Cells.Sum(cell => cell.Reads));
            Assert.All(details.Cells, cell => Assert.InRange(cell.Reads + Skips(cell), 0, regime.Walks));
            if (guestPages == "4k" && hostPages == "4k")
            {
                // Every reference of a walk of four levels on four is either made or has a cache to thank.
                Assert.All(details.Cells, cell => Assert.Equal(regime.Walks, cell.Reads + Skips(cell)));
            }
        }
    }

    [Fact]
    public void Without_caches_every_cell_is_read_in_every_walk_at_the_machines_price()
    {
        ComparisonResult result = Run("teaching", "4k", "4k", details: true);
        Assert.All(result.Regimes.Zip(result.Details!.Regimes), both => Assert.All(both.Second.Cells, cell =>
        {
            Assert.Equal(both.First.Walks, cell.Reads);
            Assert.Equal(0, Skips(cell));
            Assert.Equal(InvariantTests.Machine("teaching").WalkReferenceCycles, cell.CyclesPerRead);
        }));
    }

    [Fact]
    public void A_large_page_leaves_its_cells_out_and_no_cache_is_thanked_for_them()
    {
        RegimeDetails ept = Run("teaching", "2m", "1g", details: true).Details!.Regimes[2];
        string[] read = [.. ept.Cells.Where(cell => cell.Reads > 0).Select(cell => $"{cell.Guest}/{cell.SecondStage}")];
        Assert.Equal(
            ["PML4E/PML4E", "PML4E/PDPTE", "PML4E/", "PDPTE/PML4E", "PDPTE/PDPTE", "PDPTE/", "PDE/PML4E", "PDE/PDPTE", "PDE/", "page/PML4E", "page/PDPTE"],
            read);
        Assert.All(ept.Cells, cell => Assert.Equal(0, Skips(cell)));
    }

    [Theory]
    [InlineData("skylake", 0)]
    [InlineData("zen4", 7_777)]
    public void Two_hundred_slices_add_up_to_the_counters(string machine, int warmup)
    {
        var options = new ComparisonOptions { Machines = [InvariantTests.Machine(machine)], Details = true, Warmup = warmup, Jobs = 2 };
        ComparisonResult result = Comparison.Run([Trace(3, 90_000), Trace(4, 60_000)], options)[0];
        foreach ((RegimeResult regime, RegimeDetails details) in result.Regimes.Zip(result.Details!.Regimes))
        {
            Assert.Equal(200, details.Slices.Count);
            Assert.Equal(regime.References, details.Slices.Sum(slice => slice.References));
            Assert.Equal(regime.Tlb.L1i.Misses + regime.Tlb.L1d.Misses, details.Slices.Sum(slice => slice.L1Misses));
            Assert.Equal(regime.Tlb.L2.Misses, details.Slices.Sum(slice => slice.L2Misses));
            Assert.Equal(regime.Walks, details.Slices.Sum(slice => slice.Walks));
            Assert.Equal(regime.Cycles.Walk, details.Slices.Sum(slice => slice.WalkCycles), tolerance: 1e-3);
            Assert.Equal(regime.Events.Exits, details.Slices.Sum(slice => slice.Exits));
            Assert.Equal(regime.Events.GuestPageFaults, details.Slices.Sum(slice => slice.GuestPageFaults));
            long next = 0;
            Assert.All(details.Slices, slice =>
            {
                Assert.Equal(next, slice.First);
                next += slice.References;
            });
        }
    }

    [Fact]
    public void Slices_stay_200_of_nearly_one_length_when_readings_are_thinned_out()
    {
        // More readings than are kept: 16,384 of 256 references each.
        var options = new ComparisonOptions
        {
            Machines = [InvariantTests.Machine("teaching")], Regimes = [Regime.Native], Details = true, Jobs = 2,
        };
        var loop = new RepeatedTrace(RandomTraces.Create(seed: 8, 10_000), 4_700_001);
        IReadOnlyList<TimeSlice> slices = Comparison.Run([loop], options)[0].Details!.Regimes[0].Slices;
        Assert.Equal(200, slices.Count);
        Assert.Equal(4_700_001, slices.Sum(slice => slice.References));
        Assert.InRange(slices.Max(slice => slice.References) - slices.Min(slice => slice.References), 0, 1_024);
    }

    [Theory]
    [InlineData("4k", 1)]
    [InlineData("2m", 2)]
    public void Reuse_distances_equal_those_of_a_list_searched_from_its_front(string pages, int seed)
    {
        MemoryReference[] references = RandomTraces.Create(seed, 40_000);
        var options = new ComparisonOptions
        {
            Machines = [InvariantTests.Machine("teaching")], Regimes = [Regime.Native], Details = true,
            GuestPages = TestMachines.Size(pages), HostPages = PageSize.Size1G,
        };
        ReuseDistances measured = Comparison.Run([new MemoryTrace(references)], options)[0].Details!.Reuse;
        var stack = new List<ulong>();
        long[] expected = new long[40];
        long first = 0;
        int shift = TestMachines.Size(pages).SizeLog2();
        foreach (MemoryReference reference in references)
        {
            Use(reference.LinearAddress48 >> shift);
            if (reference.CrossesPage)
            {
                Use((reference.LinearAddress48 + (ulong)reference.SizeBytes - 1) >> shift);
            }
        }

        Assert.Equal(first, measured.FirstUses);
        Assert.Equal(expected[..measured.Distances.Count], measured.Distances);
        Assert.Equal(measured.Uses, first + expected.Sum());
        Assert.Equal(pages, measured.Pages);

        void Use(ulong page)
        {
            int distance = stack.IndexOf(page);
            if (distance < 0)
            {
                first++;
            }
            else
            {
                expected[distance == 0 ? 0 : (int)Math.Log2(distance) + 1]++;
                stack.RemoveAt(distance);
            }

            stack.Insert(0, page);
        }
    }

    private static long Skips(WalkCell cell) => cell.Skipped.Pml4e + cell.Skipped.Pdpte + cell.Skipped.Pde + cell.Skipped.NestedTlb
                                                + cell.Skipped.NestedPml4e + cell.Skipped.NestedPdpte + cell.Skipped.NestedPde;

    private static ComparisonResult Run(string machine, string guestPages, string hostPages, bool details)
    {
        var options = new ComparisonOptions
        {
            Machines = [InvariantTests.Machine(machine)],
            GuestPages = TestMachines.Size(guestPages),
            HostPages = TestMachines.Size(hostPages),
            Details = details,
        };
        return Comparison.Run([Trace(11, 30_000), Trace(12, 20_000)], options)[0];
    }

    private static MemoryTrace Trace(int seed, int references) => new(RandomTraces.Create(seed, references));

    /// <summary>The same references over and over.</summary>
    private sealed class RepeatedTrace(MemoryReference[] references, long length) : ITraceReader
    {
        private long _position;

        public string Path => "memory";

        public string Format => "memory";

        public long? KnownReferences => null;

        public double? FractionRead => null;

        public int Read(Span<MemoryReference> destination)
        {
            int count = (int)Math.Min(destination.Length, length - _position);
            for (int i = 0; i < count; i++)
            {
                destination[i] = references[(_position + i) % references.Length];
            }

            _position += count;
            return count;
        }

        public void Dispose()
        {
            // Nothing is held open.
        }
    }
}
