using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Core.Shadow;

namespace MemVirt.Core.Tests.Shadow;

/// <summary>
/// KVM's own statistics for 8,192 guest pages, as measured on a host whose KVM shadows, column by column. As there, a page of the same
/// PDPT was in use before, and each run ends with one store to MMIO: one fault taken, one emulated.
/// </summary>
public sealed class KvmTableTests : IDisposable
{
    private const int Pages = 8192;
    private const ulong Base = 0x4000_0000;
    private const ulong Stub = 0x8000_0000;
    private const ulong Mmio = Stub + 0x1000;
    private const ulong Data = 1UL << 30;
    private const ulong MmioGpa = 0xFEC0_0000;
    private const ulong Accessed = 1UL << 5;
    private readonly ShadowBench _bench = new();
    private readonly ulong[] _entries = new ulong[Pages];

    public KvmTableTests()
    {
        _bench.Pager.HasMmio = (gpa, _) => gpa >> 12 == MmioGpa >> 12;
        Put(Stub, Data - 0x1000, accessed: true, dirty: true);
        Put(Mmio, MmioGpa, accessed: true, dirty: true);
        _bench.Guest.Back(Data - 0x1000);
    }

    public void Dispose() => _bench.Dispose();

    [Fact]
    public void Guest_ptes_neither_accessed_nor_dirty_then_written_twice()
    {
        Map(accessed: false, dirty: false);
        Assert.Equal(new Counts(Taken: 8193, Fixed: 8192, Emulated: 1, PagesMade: 17), Run(() => TouchAll(store: true)));
        Assert.Equal(new Counts(Taken: 1, Emulated: 1), Run(() => TouchAll(store: true)));
    }

    [Fact]
    public void Guest_ptes_accessed_and_dirty_then_written()
    {
        Map(accessed: true, dirty: true);
        Assert.Equal(new Counts(Taken: 1025, Fixed: 1024, Emulated: 1, PagesMade: 17), Run(() => TouchAll(store: true)));
    }

    [Fact]
    public void Guest_ptes_neither_accessed_nor_dirty_then_read_then_written()
    {
        Map(accessed: false, dirty: false);
        Assert.Equal(new Counts(Taken: 8193, Fixed: 8192, Emulated: 1, PagesMade: 17), Run(() => TouchAll(store: false)));
        Assert.Equal(new Counts(Taken: 8193, Fixed: 8192, Emulated: 1), Run(() => TouchAll(store: true)));
    }

    [Fact]
    public void Guest_ptes_accessed_and_clean_then_read_then_written()
    {
        Map(accessed: true, dirty: false);
        Assert.Equal(new Counts(Taken: 1025, Fixed: 1024, Emulated: 1, PagesMade: 17), Run(() => TouchAll(store: false)));
        Assert.Equal(new Counts(Taken: 8193, Fixed: 8192, Emulated: 1), Run(() => TouchAll(store: true)));
    }

    [Fact]
    public void Stores_to_512_ptes_of_a_live_leaf_table_then_a_touch_without_invlpg()
    {
        Map(accessed: true, dirty: true);
        TouchAll(store: true);
        ulong before = LeafOf(Base)!.Value;
        Assert.Equal(new Counts(Taken: 2, Fixed: 1, Emulated: 1, Unsyncs: 1), Run(() =>
        {
            for (int page = 0; page < 512; page++)
            {
                _bench.Write(_entries[page], X64FourLevel.LeafEntry(Data + 0x40_0000, 0, AccessRights.All, dirty: true), 0);
            }
        }));
        Assert.Equal(new Counts(Taken: 1, Emulated: 1), Run(() => Touch(0, 512, store: true)));
        Assert.Equal(before, LeafOf(Base));
        _bench.Pager.SynchroniseAddress(Base);
        Assert.Null(LeafOf(Base));
        Assert.Equal(_bench.HpaOf(Data + 0x1000), TableGeometry.PageAddress(LeafOf(Base + 0x1000)!.Value, 0));
        Assert.Equal(new Counts(Taken: 2, Fixed: 1, Emulated: 1), Run(() => Touch(0, 512, store: true)));
        Assert.Equal(_bench.HpaOf(Data + 0x40_0000), TableGeometry.PageAddress(LeafOf(Base)!.Value, 0));
    }

    [Fact]
    public void Stores_to_a_live_page_directory()
    {
        Map(accessed: true, dirty: true);
        TouchAll(store: true);
        ulong pde = _bench.EnsureEntry(Base, 1);
        Assert.Equal(new Counts(Taken: 2, Emulated: 2, TableWrites: 1), Run(() => Rewrite(pde)));
        Assert.Equal(new Counts(Taken: 3, Fixed: 1, Emulated: 2, TableWrites: 1, Flooded: 1, Zapped: 1), Run(() =>
        {
            for (ulong store = 0; store < 16; store++)
            {
                Rewrite(pde + (store * 8));
            }
        }));
        Assert.Equal(new Counts(Taken: 17, Emulated: 1, Spurious: 16, PagesMade: 1), Run(() => TouchAll(store: true)));
    }

    /// <summary>
    /// One measurement of KVM had one fault more than the groups of eight; <c>memvirt verify kvm</c> measures the groups, and so does this.
    /// </summary>
    [Fact]
    public void Guest_pages_of_2M_on_host_pages_of_4K()
    {
        for (ulong large = 0; large < 16; large++)
        {
            ulong entry = _bench.EnsureEntry(Base + (large << 21), 1);
            _bench.Write(entry, X64FourLevel.LeafEntry(Data + (large << 21), 1, AccessRights.All, dirty: true), 1);
        }

        Start();
        Assert.Equal(new Counts(Taken: 1025, Fixed: 1024, Emulated: 1, PagesMade: 17), Run(() => TouchAll(store: true)));
    }

    private Counts Run(Action action)
    {
        Counts before = Counts.Of(_bench.Pager.Statistics);
        action();
        Assert.Equal(ShadowFaultKind.Mmio, _bench.Pager.HandleFault(Mmio + 0x20, isStore: true, notPresent: true).Kind);
        Assert.Equal(MmioGpa + 0x20, _bench.Pager.LastFaultAddress);
        return Counts.Of(_bench.Pager.Statistics) - before;
    }

    private void Rewrite(ulong entry) => _bench.Write(entry, _bench.Guest.Read(entry), 1);

    private void Map(bool accessed, bool dirty)
    {
        for (int page = 0; page < Pages; page++)
        {
            _entries[page] = Put(Base + ((ulong)page << 12), Data + ((ulong)page << 12), accessed, dirty);
        }

        Start();
    }

    private ulong Put(ulong address, ulong gpa, bool accessed, bool dirty)
    {
        ulong place = _bench.EnsureEntry(address, 0);
        ulong entry = X64FourLevel.LeafEntry(gpa, 0, AccessRights.All, dirty);
        _bench.Write(place, accessed ? entry : entry & ~Accessed, 0);
        return place;
    }

    private void Start()
    {
        for (ulong page = 0; page < Pages; page++)
        {
            _bench.Guest.Back(Data + (page << 12));
        }

        _bench.Pager.LoadRoot(_bench.Root);
        _bench.Pager.HandleFault(Stub, isStore: true, notPresent: true);
        _bench.Pager.HandleFault(Mmio, isStore: true, notPresent: true);
    }

    private void TouchAll(bool store) => Touch(0, Pages, store);

    private void Touch(int first, int count, bool store)
    {
        for (int page = first; page < first + count; page++)
        {
            ulong address = Base + ((ulong)page << 12);
            while (LeafOf(address) is { } leaf ? store && (leaf & 2) == 0 : true)
            {
                ShadowFaultOutcome outcome = _bench.Pager.HandleFault(address, store, notPresent: LeafOf(address) is null);
                Assert.True(outcome.Kind is ShadowFaultKind.Shadow or ShadowFaultKind.Dirty);
            }
        }
    }

    private ulong? LeafOf(ulong address) => _bench.LeafOf(address);

    private readonly record struct Counts(
        long Taken = 0, long Fixed = 0, long Emulated = 0, long Spurious = 0, long PagesMade = 0, long Unsyncs = 0, long TableWrites = 0,
        long Flooded = 0, long Zapped = 0)
    {
        public static Counts operator -(Counts after, Counts before)
            => new(
                after.Taken - before.Taken, after.Fixed - before.Fixed, after.Emulated - before.Emulated, after.Spurious - before.Spurious,
                after.PagesMade - before.PagesMade, after.Unsyncs - before.Unsyncs, after.TableWrites - before.TableWrites,
                after.Flooded - before.Flooded, after.Zapped - before.Zapped);

        internal static Counts Of(ShadowStatistics statistics)
            => new(
                statistics.FaultsTaken, statistics.FaultsFixed, statistics.FaultsEmulated, statistics.FaultsSpurious, statistics.PagesMade,
                statistics.Unsyncs, statistics.TableWrites, statistics.Flooded, statistics.Zapped);
    }
}
