using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Shadow;
using MemVirt.Core.Sources;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Shadow;

/// <summary>
/// When a guest that maps its own leaf tables may write them: the rules of KVM's mmu_try_to_unsync_pages, which
/// <c>memvirt verify kvm</c> counts on a host.
/// </summary>
public sealed class OutOfSyncTests : IDisposable
{
    private const ulong Base = 0x4000_0000;
    private const ulong Window = 0x8000_0000;
    private const ulong Data = 1UL << 30;
    private readonly ShadowBench _bench = new();
    private readonly ulong _table;

    /// <summary>A page, and a window in which the guest sees the leaf table of that page first and the tables above it next.</summary>
    public OutOfSyncTests()
    {
        _table = Map(Base, Data) & ~0xFFFUL;
        Map(Window, _table);
        Map(Window + 0x8000, _bench.EnsureEntry(Base, 1) & ~0xFFFUL);
        _bench.Guest.Back(Data);
        _bench.Pager.LoadRoot(_bench.Root);
    }

    private ShadowStatistics Counts => _bench.Pager.Statistics;

    public void Dispose() => _bench.Dispose();

    [Fact]
    public void The_fault_of_a_store_to_a_leaf_table_lets_it_go_out_of_sync_and_maps_its_page_writable()
    {
        Fault(Base, store: true);
        Fault(Window, store: true);
        Assert.Equal((2, 2, 1, 1, 0), (Counts.FaultsTaken, Counts.FaultsFixed, Counts.Unsyncs, Counts.UnsyncFaults, Counts.FaultsEmulated));
        Assert.True(IsWritable(Window));
    }

    [Fact]
    public void So_does_that_of_a_load_as_the_guests_page_is_dirty()
    {
        Fault(Base, store: true);
        Fault(Window, store: false);
        Assert.Equal((2, 1), (Counts.FaultsTaken, Counts.UnsyncFaults));
        Assert.True(IsWritable(Window));
    }

    [Fact]
    public void A_leaf_table_that_is_in_sync_is_protected_where_it_was_mapped_writable_before()
    {
        Fault(Window, store: true);
        Assert.True(IsWritable(Window));
        Assert.True(_bench.Pager.HandleFault(Base, isStore: true, notPresent: true).FlushAll);
        Assert.False(IsWritable(Window));
        Assert.Equal(ShadowFaultKind.Dirty, Fault(Window, store: true));
        Assert.Equal((1, 0), (Counts.UnsyncFaults, Counts.DirtyFaults));
    }

    [Fact]
    public void A_neighbours_fault_maps_it_read_only_unless_it_is_out_of_sync_already()
    {
        Map(Window + 0x1000, Data + 0x1000);
        _bench.Guest.Back(Data + 0x1000);
        Fault(Base, store: true);
        Fault(Window + 0x1000, store: true);
        Assert.Equal((false, 0L), (IsWritable(Window), Counts.Unsyncs));

        // Elsewhere the guest writes it, and so lets it go.
        const ulong Other = Window + 0x20_0000;
        Map(Other, _table);
        Map(Other + 0x1000, Data + 0x1000);
        Fault(Other, store: true);
        const ulong Third = Window + 0x40_0000;
        Map(Third, _table);
        Map(Third + 0x1000, Data + 0x1000);
        Fault(Third + 0x1000, store: true);
        Assert.True(IsWritable(Third));
    }

    [Fact]
    public void A_table_that_is_put_in_sync_maps_no_table_writable_that_it_did_not()
    {
        Fault(Base, store: true);
        Map(Window + 0x1000, Data + 0x1000);
        Fault(Window + 0x1000, store: true);
        Assert.False(IsWritable(Window));
        Fault(Window + 0x8000, store: false);

        // The leaf table goes out of sync through another mapping; the window's own table too.
        const ulong Other = Window + 0x20_0000;
        Map(Other, _table);
        Map(Other + 0x8000, _bench.EnsureEntry(Window, 0) & ~0xFFFUL);
        Fault(Other, store: true);
        Fault(Other + 0x8000, store: true);
        _bench.Pager.SynchroniseAddress(Window);
        Assert.False(IsWritable(Window));
        Assert.True(IsWritable(Other));
    }

    /// <summary>KVM's kvm_invalidate_pcid; that of another PCID counts when its root comes back.</summary>
    [Fact]
    public void A_flush_of_a_pcid_puts_in_sync_what_its_own_root_leads_to()
    {
        ulong other = _bench.NewTable() | 2;
        _bench.Pager.LoadRoot(_bench.Root | 1);
        Fault(Base, store: true);
        Fault(Window, store: true);
        _bench.Guest.Back(Data + 0x1000);
        _bench.Guest.Write(_table, X64FourLevel.LeafEntry(Data + 0x1000, 0, AccessRights.All, dirty: true));
        _bench.Pager.LoadRoot(other);
        Assert.False(_bench.Pager.SynchroniseContext(2));
        _bench.Pager.LoadRoot(_bench.Root | 1);
        Assert.Equal(_bench.HpaOf(Data), TableGeometry.PageAddress(_bench.LeafOf(Base)!.Value, 0));

        _bench.Pager.LoadRoot(other);
        Assert.False(_bench.Pager.SynchroniseContext(1));
        Assert.True(_bench.Pager.LoadRoot(_bench.Root | 1));
        Assert.Null(_bench.LeafOf(Base));
        Assert.False(IsWritable(Window));
    }

    [Fact]
    public void A_flush_of_the_vmms_own_puts_nothing_in_sync()
    {
        Fault(Base, store: true);
        Fault(Window, store: true);
        _bench.Guest.Write(_table, 0);
        Mmu<ShadowSource<HostTableReader>> mmu = MmuFactory.Shadow(_bench.Host, _bench.Pager);
        Assert.Equal(TranslationStatus.Ok, mmu.Translate(GuestVirtualAddress.Create(Base), MemoryAccess.Read, out _));
        long walks = mmu.Walks;
        mmu.FlushTlb();
        Assert.Equal(TranslationStatus.Ok, mmu.Translate(GuestVirtualAddress.Create(Base), MemoryAccess.Read, out _));
        Assert.Equal(walks + 1, mmu.Walks);
        mmu.Invalidate(TlbInvalidation.All);
        Assert.Equal(TranslationStatus.GuestNotPresent, mmu.Translate(GuestVirtualAddress.Create(Base), MemoryAccess.Read, out _));
    }

    [Fact]
    public void A_store_to_an_upper_table_is_emulated_each_time_and_counted_once()
    {
        Fault(Base, store: true);
        for (int store = 1; store <= 2; store++)
        {
            long taken = Counts.FaultsTaken;
            Assert.True(_bench.Pager.IsTableStore(Window + 0x8000));
            Assert.Equal(taken, Counts.FaultsTaken);
            Assert.Equal(ShadowFaultKind.ProtectedTable, Fault(Window + 0x8000, store: true));
            Assert.False(_bench.Pager.StoreEmulated(_bench.Pager.LastFaultAddress, sizeof(ulong)));
            Assert.Equal((taken + 1, store), (Counts.FaultsTaken, Counts.TableWrites));
        }

        Fault(Window + 0x8000, store: true);
        long flushes = Counts.Flushes;
        Assert.True(_bench.Pager.StoreEmulated(_bench.Pager.LastFaultAddress, sizeof(ulong)));
        Assert.Equal((3L, 1L, flushes + 1), (Counts.TableWrites, Counts.Flooded, Counts.Flushes));
        Assert.False(_bench.Pager.IsTableStore(Window + 0x8000));
        Assert.False(_bench.Pager.IsTableStore(0x7000_0000_0000));
    }

    [Theory]
    [InlineData(0, 4, false)]
    [InlineData(4, 4, false)]
    [InlineData(0, 2, true)]
    [InlineData(4, 8, true)]
    [InlineData(0, 16, true)]
    public void A_store_to_an_upper_table_that_is_not_one_of_an_entry_removes_its_shadow(ulong offset, int lengthBytes, bool isRemoved)
    {
        Fault(Base, store: true);
        Fault(Window + 0x8000 + offset, store: true);
        Assert.Equal(isRemoved, _bench.Pager.StoreEmulated(_bench.Pager.LastFaultAddress, lengthBytes));
        Assert.Equal(isRemoved ? 1 : 0, Counts.Flooded);
        Assert.Equal(!isRemoved, _bench.Pager.IsTableStore(Window + 0x8000));
    }

    private ulong Map(ulong address, ulong gpa)
    {
        ulong entry = _bench.EnsureEntry(address, 0);
        _bench.Write(entry, X64FourLevel.LeafEntry(gpa, 0, AccessRights.All, dirty: true), 0);
        return entry;
    }

    private bool IsWritable(ulong address) => (_bench.LeafOf(address) & X64FourLevel.Writable) is > 0;

    private ShadowFaultKind Fault(ulong address, bool store)
        => _bench.Pager.HandleFault(address, store, notPresent: _bench.LeafOf(address) is null).Kind;
}
