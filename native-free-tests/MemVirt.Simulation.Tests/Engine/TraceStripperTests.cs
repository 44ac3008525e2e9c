using System.Runtime.Intrinsics.X86;
using MemVirt.Core.Addresses;
using MemVirt.Core.Tlb;
using MemVirt.Simulation.Engine;
using MemVirt.Simulation.Tests.Support;
using MemVirt.Simulation.Traces;
using Xunit;

namespace MemVirt.Simulation.Tests.Engine;

/// <summary>What is left of a trace; that the counts stay the same is shown by <see cref="OracleTests"/>.</summary>
public class TraceStripperTests
{
    private const ulong Page = 0x1000;

    [Theory]
    [InlineData(12, 16)]
    [InlineData(12, 4)]
    [InlineData(12, 1)]
    [InlineData(21, 8)]
    [InlineData(30, 16)]
    public void What_is_left_out_follows_an_access_to_the_same_page_in_its_slot(int shift, int slots)
    {
        for (int seed = 0; seed < 40; seed++)
        {
            MemoryReference[] trace = RandomTraces.Create(seed, 3_000);
            (ushort[] kept, StrippedSegment segment) = Strip(new StripGeometry(shift, slots), vectors: false, trace);
            Assert.Equal(Naive(trace, shift, slots), kept);
            Assert.Equal(trace.Count(reference => reference.Kind == ReferenceKind.Fetch), segment.Fetches);
            Assert.Equal(trace.Count(reference => reference.Kind == ReferenceKind.Store), segment.Stores);
        }
    }

    [SkippableTheory]
    [InlineData(12, 16)]
    [InlineData(12, 8)]
    [InlineData(21, 1)]
    public void Vectors_keep_the_same_references(int shift, int slots)
    {
        Skip.IfNot(Avx512F.IsSupported, "this processor has no AVX-512, or it is switched off");
        for (int seed = 0; seed < 100; seed++)
        {
            // Lengths of every remainder, and two calls in a row: the state between them is one.
            MemoryReference[] trace = RandomTraces.Create(seed, 500 + seed);
            MemoryReference[] next = RandomTraces.Create(seed, 333);
            var geometry = new StripGeometry(shift, slots);
            Assert.Equal(Strip(geometry, vectors: false, trace, next).Kept, Strip(geometry, vectors: true, trace, next).Kept);
            Assert.Equal(Strip(geometry, vectors: false, trace, next).Segment, Strip(geometry, vectors: true, trace, next).Segment);
        }
    }

    [Fact]
    public void A_store_is_kept_until_its_page_has_been_stored_to_and_a_crossing_always()
    {
        MemoryReference[] trace =
        [
            new(ReferenceKind.Load, Page, 4), new(ReferenceKind.Load, Page + 8, 4), new(ReferenceKind.Store, Page, 4),
            new(ReferenceKind.Store, Page + 8, 4), new(ReferenceKind.Load, Page, 4), new(ReferenceKind.Fetch, Page, 4),
            new(ReferenceKind.Load, (2 * Page) - 1, 2), new(ReferenceKind.Load, (2 * Page) - 1, 2), new(ReferenceKind.Load, 2 * Page, 1),
        ];
        Assert.Equal<ushort>([0, 2, 5, 6, 7], Strip(new StripGeometry(12, 16), vectors: false, trace).Kept);
    }

    [Theory]
    [InlineData(64, 4, false, 128, 8, false, 16)]
    [InlineData(96, 6, false, 128, 8, false, 16)]
    [InlineData(64, 64, false, 128, 8, false, 1)]
    [InlineData(96, 8, false, 128, 8, false, 4)]
    [InlineData(64, 4, true, 128, 8, false, 1)]
    [InlineData(1536, 12, false, 1024, 4, false, 16)]
    public void Pages_of_one_set_share_a_slot(
        int dataEntries, int dataWays, bool dataXor, int fetchEntries, int fetchWays, bool fetchXor, int slots)
    {
        var data = new SetGeometry(dataEntries, dataWays, dataXor);
        var fetches = new SetGeometry(fetchEntries, fetchWays, fetchXor);
        var geometry = StripGeometry.Of(fetches, PageSize.Size4K, data, PageSize.Size4K);
        Assert.Equal(new StripGeometry(12, slots), geometry);
        for (ulong page = 0; page < 4096; page++)
        {
            ulong other = (page * 2654435761) & 0xFFFFF;
            if (data.FirstWay(page) == data.FirstWay(other) || fetches.FirstWay(page) == fetches.FirstWay(other))
            {
                Assert.Equal(page & ((ulong)slots - 1), other & ((ulong)slots - 1));
            }
        }
    }

    [Fact]
    public void First_levels_of_different_page_sizes_share_only_repeated_pages()
        => Assert.Equal(
            new StripGeometry(12, 1),
            StripGeometry.Of(new SetGeometry(64, 4), PageSize.Size4K, new SetGeometry(32, 4), PageSize.Size2M));

    private static ushort[] Naive(MemoryReference[] trace, int shift, int slots)
    {
        var last = new Dictionary<(bool Fetch, ulong Slot), (ulong Page, bool Stored)>();
        var kept = new List<ushort>();
        for (int i = 0; i < trace.Length; i++)
        {
            bool store = trace[i].Kind == ReferenceKind.Store;
            ulong end = trace[i].LinearAddress48 + (ulong)trace[i].SizeBytes - 1;
            bool changes = Touch(trace[i].LinearAddress48 >> shift);
            if (trace[i].CrossesPage)
            {
                Touch((end & MemoryReference.AddressMask) >> shift);
                changes = true;
            }

            if (changes)
            {
                kept.Add((ushort)i);
            }

            bool Touch(ulong page)
            {
                (bool, ulong) slot = (trace[i].Kind == ReferenceKind.Fetch, page % (ulong)slots);
                bool held = last.TryGetValue(slot, out (ulong Page, bool Stored) before) && before.Page == page;
                last[slot] = (page, store || (held && before.Stored));
                return !held || (store && !before.Stored);
            }
        }

        return [.. kept];
    }

    private static (ushort[] Kept, StrippedSegment Segment) Strip(StripGeometry geometry, bool vectors, params MemoryReference[][] segments)
    {
        var stripper = new TraceStripper(geometry);
        stripper.Forget();
        var positions = new List<ushort>();
        StrippedSegment last = default;
        foreach (MemoryReference[] segment in segments)
        {
            var kept = new MemoryReference[segment.Length];
            var at = new ushort[segment.Length];
            last = stripper.Strip(segment, kept, at, vectors);
            positions.AddRange(at[..last.Kept]);
            Assert.Equal(at[..last.Kept].Select(position => segment[position]), kept[..last.Kept]);
        }

        return ([.. positions], last);
    }
}
