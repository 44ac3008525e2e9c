using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Core.Shadow;

namespace MemVirt.Core.Tests.Shadow;

/// <summary>The counts of KVM's shadow MMU for 8,192 guest pages, as measured; without its one MMIO store at the end of each run.</summary>
public sealed class ShadowCountTests : IDisposable
{
    private const int Pages = 8192;
    private const ulong Base = 0x4000_0000;
    private const ulong Data = 1UL << 30;
    private const ulong Accessed = 1UL << 5;
    private readonly ShadowBench _bench = new();
    private readonly ulong[] _entries = new ulong[Pages];

    public void Dispose() => _bench.Dispose();

    [Fact]
    public void Entries_not_accessed_are_not_prefetched()
    {
        Map(accessed: false, dirty: false);
        Assert.Equal((8192, 0), Touch(store: true));
        Assert.Equal((0, 0), Touch(store: true));
    }

    [Fact]
    public void Accessed_and_dirty_entries_are_prefetched_in_aligned_groups_of_8()
    {
        Map(accessed: true, dirty: true);
        Assert.Equal((1024, 0), Touch(store: true));
    }

    [Fact]
    public void Dirty_is_emulated_by_a_read_only_entry()
    {
        Map(accessed: false, dirty: false);
        Assert.Equal((8192, 0), Touch(store: false));
        Assert.Equal((0, 8192), Touch(store: true));
    }

    [Fact]
    public void Prefetch_does_not_remove_the_dirty_fault()
    {
        Map(accessed: true, dirty: false);
        Assert.Equal((1024, 0), Touch(store: false));
        Assert.Equal((0, 8192), Touch(store: true));
    }

    [Fact]
    public void A_fault_sets_the_guests_accessed_and_dirty_bits()
    {
        Map(accessed: false, dirty: false);
        Touch(store: false);
        Assert.All(_entries, entry => Assert.Equal(Accessed, _bench.Guest.Read(entry) & 0x60));
        Touch(store: true);
        Assert.All(_entries, entry => Assert.Equal(0x60UL, _bench.Guest.Read(entry) & 0x60));
    }

    [Fact]
    public void A_leaf_table_goes_out_of_sync_on_the_first_write_and_the_rest_is_free()
    {
        Map(accessed: true, dirty: true);
        Touch(store: true);
        for (int page = 0; page < 512; page++)
        {
            _bench.Write(_entries[page], X64FourLevel.LeafEntry(Data, 0, AccessRights.All, dirty: true), 0);
        }

        Assert.Equal((1, 0), (_bench.Unsyncs, _bench.Protected));
        Assert.Equal((0, 0), Touch(store: true));
    }

    [Fact]
    public void An_upper_table_never_goes_out_of_sync_and_the_third_write_zaps_it()
    {
        Map(accessed: true, dirty: true);
        Touch(store: true);
        ulong pde = _bench.EnsureEntry(Base, 1);
        ulong word = _bench.Guest.Read(pde);
        Assert.Equal(GuestTableWrite.Protected, _bench.Write(pde, word, 1));
        for (int store = 0; store < 16; store++)
        {
            _bench.Write(pde + ((ulong)store * 8), _bench.Guest.Read(pde + ((ulong)store * 8)), 1);
        }

        // As measured: pte_write 1, then 1 more; flooded 1, zapped 1. The stores after the zap are free.
        Assert.Equal((0, 3, 1), (_bench.Unsyncs, _bench.Protected, _bench.Zaps));
        Assert.Equal((16, 0), Touch(store: true));
    }

    [Fact]
    public void A_use_between_writes_starts_the_count_again()
    {
        Map(accessed: true, dirty: true);
        Touch(store: true);
        ulong pde = _bench.EnsureEntry(Base, 1);
        for (int round = 0; round < 5; round++)
        {
            _bench.Write(pde, _bench.Guest.Read(pde), 1);
            _bench.Write(pde, _bench.Guest.Read(pde), 1);
            Assert.Equal((1, 0), Touch(store: true));
        }

        Assert.Equal(0, _bench.Zaps);
    }

    [Fact]
    public void A_guests_2M_pages_on_4K_host_pages_are_split_with_prefetch_of_8()
    {
        for (ulong large = 0; large < 16; large++)
        {
            _bench.Write(_bench.EnsureEntry(Base + (large << 21), 1), X64FourLevel.LeafEntry(Data + (large << 21), 1, AccessRights.All, true), 1);
        }

        Back();
        _bench.Pager.LoadRoot(_bench.Root);
        Assert.Equal((1024, 0), Touch(store: true));
        Assert.True(_bench.Pager.SplitsPages);
    }

    [Fact]
    public void A_direct_table_is_replaced_when_its_page_becomes_dirty()
    {
        ulong entry = _bench.EnsureEntry(Base, 1);
        _bench.Write(entry, X64FourLevel.LeafEntry(Data, 1, AccessRights.All, dirty: false), 1);
        Back();
        _bench.Pager.LoadRoot(_bench.Root);
        Assert.Equal(ShadowFaultKind.Shadow, _bench.Pager.HandleFault(Base, isStore: false, notPresent: true).Kind);
        int before = _bench.Pager.ShadowPages;
        ShadowFaultOutcome outcome = _bench.Pager.HandleFault(Base, isStore: true, notPresent: false);
        Assert.Equal(new ShadowFaultOutcome(ShadowFaultKind.Dirty, FlushAll: true), outcome);
        Assert.Equal(before, _bench.Pager.ShadowPages);
    }

    [Fact]
    public void Four_roots_are_kept_in_sync_and_a_fifth_is_synchronised_when_it_returns()
    {
        Map(accessed: true, dirty: true);
        Touch(store: true);
        ulong[] others = [.. Enumerable.Range(1, 4).Select(pcid => _bench.NewTable() + (uint)pcid)];
        _bench.Write(_entries[0], _bench.Guest.Read(_entries[0]), 0);
        LoadAll(others.AsSpan(0, 3));
        _bench.Pager.LoadRoot(_bench.Root);
        Assert.Equal(GuestTableWrite.Free, _bench.Write(_entries[0], _bench.Guest.Read(_entries[0]), 0));
        LoadAll(others);
        _bench.Pager.LoadRoot(_bench.Root);
        Assert.Equal(GuestTableWrite.Unsync, _bench.Write(_entries[0], _bench.Guest.Read(_entries[0]), 0));
    }

    private void LoadAll(ReadOnlySpan<ulong> roots)
    {
        foreach (ulong root in roots)
        {
            _bench.Pager.LoadRoot(root);
        }
    }

    private void Map(bool accessed, bool dirty)
    {
        for (int page = 0; page < Pages; page++)
        {
            _entries[page] = _bench.EnsureEntry(Base + ((ulong)page << 12), 0);
            ulong entry = X64FourLevel.LeafEntry(Data + ((ulong)page << 12), 0, AccessRights.All, dirty);
            _bench.Write(_entries[page], accessed ? entry : entry & ~Accessed, 0);
        }

        Back();
        _bench.Pager.LoadRoot(_bench.Root);
    }

    private void Back()
    {
        for (ulong page = 0; page < Pages; page++)
        {
            _bench.Guest.Back(Data + (page << 12));
        }
    }

    /// <summary>Accesses every page through the shadow tables, one literal walk each; faults of an absent entry, and of a read-only one.</summary>
    private (int Shadow, int Dirty) Touch(bool store)
    {
        (int shadow, int dirty) = (0, 0);
        for (ulong page = 0; page < Pages; page++)
        {
            ulong address = Base + (page << 12);
            while (Walk(address) is { } leaf ? store && (leaf & 2) == 0 : true)
            {
                ShadowFaultOutcome outcome = _bench.Pager.HandleFault(address, store, notPresent: Walk(address) is null);
                shadow += outcome.Kind == ShadowFaultKind.Shadow ? 1 : 0;
                dirty += outcome.Kind == ShadowFaultKind.Dirty ? 1 : 0;
                Assert.True(outcome.Kind is ShadowFaultKind.Shadow or ShadowFaultKind.Dirty);
            }
        }

        return (shadow, dirty);
    }

    private ulong? Walk(ulong address) => _bench.LeafOf(address);
}
