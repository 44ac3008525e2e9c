using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Sources;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Shadow;

/// <summary>A guest that maps its own tables, as every guest does: no store to a protected one goes unseen.</summary>
public sealed class GuestTablesMappedTests : IDisposable
{
    private const ulong Window = 0x4000_0000;
    private const ulong Far = 0x5555_0000_0000;
    private const ulong Data = 1UL << 30;
    private readonly ShadowBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_frame_mapped_writable_before_it_became_a_table_is_protected_from_then_on(int level)
    {
        ulong table = _bench.EnsureEntry(Far, level) & ~0xFFFUL;
        Map(Window, table);
        Map(Far, Data);
        Mmu<ShadowSource<HostTableReader>> mmu = Load();
        Assert.Equal(TranslationStatus.Ok, Store(mmu, Window));
        Assert.Equal(TranslationStatus.Ok, Store(mmu, Far));
        Assert.Equal(TranslationStatus.SecondStageProtection, Store(mmu, Window));
        Assert.Equal(table, _bench.Pager.LastFaultAddress);
    }

    [Fact]
    public void A_leaf_table_that_is_out_of_sync_is_followed_on_invlpg_although_its_writes_go_unseen()
    {
        ulong entry = _bench.EnsureEntry(Far, 0);
        Map(Window, entry & ~0xFFFUL);
        Map(Far, Data);
        Mmu<ShadowSource<HostTableReader>> mmu = Load();
        Assert.Equal(TranslationStatus.Ok, Store(mmu, Window));
        Assert.Equal(TranslationStatus.Ok, Store(mmu, Far));
        Assert.Equal(TranslationStatus.Ok, Store(mmu, Window));
        foreach (ulong page in new[] { Data + 0x1000, Data + 0x2000 })
        {
            // Not through the watch: a store that hits the writable mapping leaves no trace.
            _bench.Guest.Write(entry, X64FourLevel.LeafEntry(page, 0, AccessRights.All, dirty: true));
            _bench.Guest.Resolve(page);
            mmu.Invalidate(page == Data + 0x1000
                ? Invalidation.TlbInvalidation.OfAddress(0, 0, GuestVirtualAddress.Create(Far))
                : Invalidation.TlbInvalidation.All);
            mmu.Translate(GuestVirtualAddress.Create(Far), MemoryAccess.Read, out HostPhysicalAddress hpa);
            Assert.Equal(_bench.HpaOf(page), hpa.Value);
        }
    }

    [Fact]
    public void Two_paths_of_different_rights_to_one_leaf_table_keep_them()
    {
        ulong entry = _bench.EnsureEntry(Far, 0);
        Map(Far, Data);
        ulong readOnly = X64FourLevel.LeafEntry(entry & ~0xFFFUL, 0, AccessRights.Read, dirty: false);
        _bench.Write(_bench.EnsureEntry(Window, 1), readOnly, 1);
        Mmu<ShadowSource<HostTableReader>> mmu = Load();
        Assert.Equal(TranslationStatus.Ok, Store(mmu, Far));
        ulong alias = Window + (Far & 0x1F_FFFF);
        Assert.Equal(TranslationStatus.GuestProtection, Store(mmu, alias));
        Assert.Equal(TranslationStatus.Ok, mmu.Translate(GuestVirtualAddress.Create(alias), MemoryAccess.Read, out _));
        Assert.Equal(TranslationStatus.Ok, Store(mmu, Far));
    }

    [Fact]
    public void A_2M_page_that_holds_guest_tables_is_mapped_in_pieces()
    {
        using var bench = new ShadowBench(PageSize.Size2M);
        ulong entry = bench.EnsureEntry(Far, 0);
        bench.Write(entry, X64FourLevel.LeafEntry(Data, 0, AccessRights.All, dirty: true), 0);
        bench.Write(bench.EnsureEntry(Window, 1), X64FourLevel.LeafEntry(0, 1, AccessRights.All, dirty: true), 1);
        bench.Pager.LoadRoot(bench.Root);
        Mmu<ShadowSource<HostTableReader>> mmu = MmuFactory.Shadow(bench.Host, bench.Pager);
        Assert.Equal(TranslationStatus.Ok, Store(mmu, Window + 0x1000));
        Assert.Equal(TranslationStatus.SecondStageProtection, Store(mmu, Window + bench.Root));
        Assert.Equal(TranslationStatus.Ok, Store(mmu, Window + 0x2000));
    }

    private static TranslationStatus Store(Mmu<ShadowSource<HostTableReader>> mmu, ulong address)
        => mmu.Translate(GuestVirtualAddress.Create(address), MemoryAccess.Write, out _);

    private void Map(ulong address, ulong page)
        => _bench.Write(_bench.EnsureEntry(address, 0), X64FourLevel.LeafEntry(page, 0, AccessRights.All, dirty: true), 0);

    private Mmu<ShadowSource<HostTableReader>> Load()
    {
        _bench.Pager.LoadRoot(_bench.Root);
        return MmuFactory.Shadow(_bench.Host, _bench.Pager);
    }
}
