using MemVirt.Core;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Tlb;
using MemVirt.Core.Walking;
using MemVirt.Simulation;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;

namespace MemVirt.Benchmarks.Gate;

/// <summary>Work that is the same in every run: table reads of a walk, probes of a look-up, and what a comparison counts.</summary>
internal static class WorkCounts
{
    private const ulong Start = 0x7F12_4000_0000;
    private const ulong Offset = 2UL << 30;

    internal static SortedDictionary<string, long> Take()
    {
        using var memory = new SparseMemory();
        var counts = new SortedDictionary<string, long>(StringComparer.Ordinal);
        ulong native = new Tables(memory, new FrameAllocator(0x1000, 1 << 20), 0).Map<X64FourLevel>((Start, 1UL << 30, 8));
        ulong guest = new Tables(memory, new FrameAllocator(1 << 20, 1 << 30), Offset).Map<X64FourLevel>((Start, 1UL << 30, 8));
        var reads = new CountedReads();
        var reader = new CountingReader(memory, reads);
        var source = new TwoStageSource<X64FourLevel, IdentityStage, CountingReader>(default, reader) { Root = native };
        counts["reads of a native walk"] = ReadsOf(ref source, reads);
        counts["reads of a walk under EPT"] = Nested<EptFormat>(memory, reader, reads, guest, caches: false);
        counts["reads of a walk under NPT"] = Nested<NptFormat>(memory, reader, reads, guest, caches: false);
        counts["reads of a walk under EPT, PDE cache and nested TLB"] = Nested<EptFormat>(memory, reader, reads, guest, caches: true);
        AddProbes(counts);
        AddComparison(counts);
        return counts;
    }

    private static long Nested<TFormat>(SparseMemory memory, CountingReader reader, CountedReads reads, ulong guestRoot, bool caches)
        where TFormat : struct, IPageTableFormat
    {
        ulong root = new Tables(memory, new FrameAllocator(TFormat.IsExtendedPageTable ? 64UL << 20 : 96UL << 20, 1 << 30), 0)
            .Map<TFormat>((1 << 20, Offset + (1 << 20), 16), (1UL << 30, Offset + (1UL << 30), 8));
        NestedTlb? nestedTlb = caches ? new NestedTlb(new TagArray(new SetGeometry(16, 4)), PageSize.Size4K) : null;
        PagingStructureCaches? walkCaches = caches
            ? new PagingStructureCaches(CachedTable.HostPhysical, null, null, new TagArray(new SetGeometry(8, 4)))
            : null;
        var source = new TwoStageSource<X64FourLevel, NestedStage<TFormat, CountingReader>, CountingReader>(
            new NestedStage<TFormat, CountingReader>(reader, root, 1, nestedTlb), reader, TableKind.Guest, walkCaches)
        {
            Root = guestRoot,
            Context = 1,
        };
        return ReadsOf(ref source, reads);
    }

    /// <summary>Of the second page in a warm neighbourhood.</summary>
    private static long ReadsOf<TSource>(ref TSource source, CountedReads reads)
        where TSource : struct, ITranslationSource
    {
        source.Translate(Start, AccessRights.Read);
        long before = reads.Count;
        source.Translate(Start + 0x1000, AccessRights.Read);
        return reads.Count - before;
    }

    private static void AddProbes(SortedDictionary<string, long> counts)
    {
        var tlb = new TaggedTlb(64, 4);
        tlb.Insert(0x1000, PageSize.Size4K, 1, 0);
        counts["probes of a look-up, 4K pages in use"] = tlb.ProbesOfMiss;
        tlb.Insert(0x20_0000, PageSize.Size2M, 1, 0);
        tlb.Insert(0x4000_0000, PageSize.Size1G, 1, 0);
        counts["probes of a look-up, 4K, 2M and 1G pages in use"] = tlb.ProbesOfMiss;
        tlb.Drop(0x4000_0000, 1);
        counts["probes of a look-up, 1G pages gone again"] = tlb.ProbesOfMiss;
    }

    private static void AddComparison(SortedDictionary<string, long> counts)
    {
        var options = new ComparisonOptions { Machines = [MachinePresets.Load("zen5")], References = 200_000 };
        foreach (RegimeResult regime in Comparison.Run([new DecodedTrace(Traces.Load("hashjoin", 200_000))], options)[0].Regimes)
        {
            string what = $"hash join, {regime.Regime}";
            counts[$"{what}: walk references"] = regime.WalkReferences.Total;
            counts[$"{what}: walks"] = regime.Walks;
            counts[$"{what}: look-ups of the second level"] = regime.Tlb.L2.Hits + regime.Tlb.L2.Misses;
            counts[$"{what}: exits"] = regime.Events.Exits;
        }
    }

    private sealed class CountedReads
    {
        internal long Count { get; set; }
    }

    private readonly struct CountingReader(SparseMemory memory, CountedReads reads) : ITableReader
    {
        public ulong Read(ulong hostAddress, TableKind kind, int level)
        {
            reads.Count++;
            return memory.Read(hostAddress);
        }

        public bool TryReplace(ulong hostAddress, ulong expected, ulong replacement)
            => memory.TryReplace(hostAddress, expected, replacement);
    }
}
