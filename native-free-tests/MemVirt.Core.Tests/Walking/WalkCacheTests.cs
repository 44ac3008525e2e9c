using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Tlb;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Walking;

/// <summary>What caches cut off a walk of 24 reads, exactly.</summary>
public sealed class WalkCacheTests : IDisposable
{
    private const ulong First = 0x7F12_4000_0000;
    private const ulong SamePde = First + 0x1000;
    private const ulong SamePdpte = First + (1UL << 21);
    private const ulong SamePml4e = First + (1UL << 30);
    private const ulong Elsewhere = First + (1UL << 39);
    private readonly NestedTestbed<EptFormat> _bed = new();
    private readonly ReadCounts _counts = new();

    public WalkCacheTests()
    {
        ulong page = NestedTestbed<EptFormat>.Data;
        foreach (ulong address in new[] { First, SamePde, SamePdpte, SamePml4e, Elsewhere })
        {
            _bed.Guest.Map(address, page);
            page += 0x1000;
        }
    }

    public void Dispose() => _bed.Dispose();

    [Theory]
    [InlineData(First, 1 + 4)]
    [InlineData(SamePde, 1 + 4)]
    [InlineData(SamePdpte, 1 + 5 + 4)]
    [InlineData(SamePml4e, 1 + 5 + 5 + 4)]
    [InlineData(Elsewhere, 24)]
    public void A_host_physical_entry_skips_both_dimensions_above(ulong second, int reads)
        => Assert.Equal(reads, ReadsOfSecond(Caches(CachedTable.HostPhysical), null, second));

    [Theory]
    [InlineData(First, 5 + 4)]
    [InlineData(SamePde, 5 + 4)]
    [InlineData(SamePdpte, 10 + 4)]
    [InlineData(SamePml4e, 15 + 4)]
    [InlineData(Elsewhere, 24)]
    public void A_guest_physical_entry_skips_the_guests_dimension_only(ulong second, int reads)
        => Assert.Equal(reads, ReadsOfSecond(Caches(CachedTable.GuestPhysical), null, second));

    [Theory]
    [InlineData(First, 4)]
    [InlineData(SamePde, 4 + 4)]
    [InlineData(SamePdpte, 4 + 4 + 4)]
    [InlineData(Elsewhere, 4 + (3 * 4) + 4)]
    public void A_nested_tlb_leaves_the_guests_reads_and_the_pages_not_seen_before(ulong second, int reads)
        => Assert.Equal(reads, ReadsOfSecond(null, Nested(PageSize.Size4K), second));

    [Fact]
    public void A_host_physical_cache_and_a_nested_tlb_leave_one_read()
        => Assert.Equal(1, ReadsOfSecond(Caches(CachedTable.HostPhysical), Nested(PageSize.Size4K), First));

    [Fact]
    public void A_nested_tlb_of_2M_entries_takes_no_4K_page()
    {
        var source = Source(null, Nested(PageSize.Size2M));
        Assert.Equal(NestedTestbed<EptFormat>.Data + NestedTestbed<EptFormat>.Offset, source.Translate(First, AccessRights.Read).HostPage);
        _bed.Host.Map(NestedTestbed<EptFormat>.Data + 0x1000, 0x7000_0000);
        Assert.Equal(0x7000_0000UL, source.Translate(SamePde, AccessRights.Read).HostPage);
    }

    [Fact]
    public void Another_contexts_entries_are_not_used()
    {
        PagingStructureCaches caches = Caches(CachedTable.HostPhysical);
        var source = Source(caches, null);
        source.Context = 1;
        source.Translate(First, AccessRights.Read);
        source.Context = 2;
        _counts.Reset();
        source.Translate(First, AccessRights.Read);
        Assert.Equal(24, _counts.Total);
    }

    [Fact]
    public void Rights_of_the_entries_skipped_still_hold()
    {
        ulong pml4e = _bed.Guest.EntryAt(First, 3);
        _bed.Guest.Write(pml4e, _bed.Guest.Read(pml4e) & ~2UL);
        foreach (CachedTable holds in Enum.GetValues<CachedTable>())
        {
            var source = Source(Caches(holds), null);
            Assert.Equal(TranslationStatus.Ok, source.Translate(First, AccessRights.Read).Status);
            Assert.Equal(TranslationStatus.GuestProtection, source.Translate(First, AccessRights.Write).Status);
        }
    }

    [Fact]
    public void Hits_are_counted_at_the_deepest_cache_only()
    {
        PagingStructureCaches caches = Caches(CachedTable.GuestPhysical);
        ReadsOfSecond(caches, null, SamePdpte);
        Assert.Equal((0, 1, 0), (caches.HitsAt(1), caches.HitsAt(2), caches.HitsAt(3)));
    }

    private static PagingStructureCaches Caches(CachedTable holds) => new(holds, Array(2), Array(4), Array(32));

    private static TagArray Array(int entries) => new(new SetGeometry(entries, entries));

    private static NestedTlb Nested(PageSize size) => new(Array(64), size);

    private int ReadsOfSecond(PagingStructureCaches? caches, NestedTlb? nestedTlb, ulong second)
    {
        var source = Source(caches, nestedTlb);
        Assert.Equal(TranslationStatus.Ok, source.Translate(First, AccessRights.Read).Status);
        Assert.Equal(24, _counts.Total);
        _counts.Reset();
        Assert.Equal(TranslationStatus.Ok, source.Translate(second, AccessRights.Read).Status);
        return _counts.Total;
    }

    private TwoStageSource<X64FourLevel, NestedStage<EptFormat, CountingReader>, CountingReader> Source(
        PagingStructureCaches? caches, NestedTlb? nestedTlb)
    {
        var reader = new CountingReader(_bed.Memory, _counts);
        var stage = new NestedStage<EptFormat, CountingReader>(reader, _bed.Host.Root, context: 1, nestedTlb);
        return new(stage, reader, TableKind.Guest, caches) { Root = _bed.Guest.Root, Context = 1 };
    }
}
