using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Shadow;
using MemVirt.Core.Tests.Registers;
using MemVirt.Core.Tests.Tlb;

namespace MemVirt.Core.Tests.Shadow;

/// <summary>What a VMM asks of a shadow pager besides faults: MMIO, memory that goes, logged writes, a limit of pages.</summary>
public sealed class ShadowPagerTests : IDisposable
{
    private const ulong Base = 0x4000_0000;
    private const ulong Data = 1UL << 30;
    private const ulong Device = 0xFEE0_0000;
    private readonly ShadowBench _bench = new();

    public void Dispose() => _bench.Dispose();

    /// <summary>The second access is answered from the shadow leaf: the guest's tables may have changed meanwhile, unseen until INVLPG.</summary>
    [Fact]
    public void Mmio_is_remembered_until_the_slots_change()
    {
        bool isDevice = true;
        _bench.Pager.HasMmio = (gpa, _) => isDevice && gpa >= Device;
        ulong entry = Map(Base, Device);
        _bench.Pager.LoadRoot(_bench.Root);
        Assert.Equal(ShadowFaultKind.Mmio, Fault(Base, store: true));
        _bench.Guest.Write(entry, 0);
        Assert.Equal(ShadowFaultKind.Mmio, Fault(Base + 8, store: false));
        Assert.Equal(Device + 8, _bench.Pager.LastFaultAddress);

        _bench.Guest.Write(entry, X64FourLevel.LeafEntry(Device, 0, AccessRights.All, dirty: true));
        isDevice = false;
        Assert.False(_bench.Pager.MemorySlotsChanged());
        Assert.Equal(ShadowFaultKind.Shadow, Fault(Base, store: true));
        Assert.NotNull(_bench.LeafOf(Base));
    }

    [Fact]
    public void A_store_to_remembered_mmio_that_the_guest_maps_read_only_is_the_guests_fault()
    {
        _bench.Pager.HasMmio = (gpa, _) => gpa >= Device;
        Map(Base, Device, AccessRights.Read | AccessRights.User);
        _bench.Pager.LoadRoot(_bench.Root);
        Assert.Equal(ShadowFaultKind.Mmio, Fault(Base, store: false));
        Assert.Equal(ShadowFaultKind.Guest, Fault(Base, store: true));
    }

    /// <summary>After 2,048 changes the first generation's number comes again, and nothing of it may be believed.</summary>
    [Fact]
    public void When_generations_start_over_every_shadow_page_goes()
    {
        bool isDevice = true;
        _bench.Pager.HasMmio = (gpa, _) => isDevice && gpa >= Device;
        Map(Base, Device);
        _bench.Pager.LoadRoot(_bench.Root);
        Assert.Equal(ShadowFaultKind.Mmio, Fault(Base, store: true));
        isDevice = false;
        int flushes = Enumerable.Range(0, 2048).Count(_ => _bench.Pager.MemorySlotsChanged());
        Assert.Equal(1, flushes);
        Assert.Equal(1, _bench.Pager.ShadowPages);
        Assert.Equal(ShadowFaultKind.Shadow, Fault(Base, store: true));
    }

    [Fact]
    public void An_address_beyond_the_guests_memory_is_mmio()
    {
        Map(Base, 1UL << 50);
        _bench.Pager.LoadRoot(_bench.Root);
        Assert.Equal(ShadowFaultKind.Mmio, Fault(Base, store: false));
    }

    /// <summary>KVM's MMU notifier: every alias of the frame goes, and the next access maps the new host page.</summary>
    [Fact]
    public void Memory_that_is_taken_away_is_mapped_nowhere()
    {
        Map(Base, Data);
        Map(Base + 0x1000, Data);
        Map(Base + 0x2000, Data + 0x1000);
        _bench.Pager.LoadRoot(_bench.Root);
        Fault(Base, store: true);
        Fault(Base + 0x1000, store: true);
        Fault(Base + 0x2000, store: true);
        Assert.NotNull(_bench.LeafOf(Base + 0x1000));
        ulong old = _bench.HpaOf(Data);
        Assert.True(_bench.Pager.Unmap(Data, 0x1000));
        Assert.Null(_bench.LeafOf(Base));
        Assert.Null(_bench.LeafOf(Base + 0x1000));
        Assert.NotNull(_bench.LeafOf(Base + 0x2000));
        Assert.False(_bench.Pager.Unmap(Data, 0x1000));
        _bench.Guest.Release(Data);
        Assert.Equal(ShadowFaultKind.Shadow, Fault(Base, store: true));
        Assert.NotEqual(old, TableGeometry.PageAddress(_bench.LeafOf(Base)!.Value, 0));
    }

    [Fact]
    public void Logged_writes_are_told_page_by_page_and_neighbours_are_not_prefetched_writable()
    {
        var log = new PageList();
        for (ulong page = 0; page < 8; page++)
        {
            Map(Base + (page << 12), Data + (page << 12));
            _bench.Guest.Back(Data + (page << 12));
        }

        _bench.Pager.LoadRoot(_bench.Root);
        Fault(Base, store: true);
        Assert.All(Enumerable.Range(0, 8), page => Assert.True((_bench.LeafOf(Base + ((ulong)page << 12)) & 2) != 0));

        _bench.Pager.WriteLog = log;
        Assert.True(_bench.Pager.WriteProtect(Data, 8 << 12));
        Assert.False(_bench.Pager.WriteProtect(Data, 8 << 12));
        Assert.Equal(ShadowFaultKind.Dirty, _bench.Pager.HandleFault(Base + 0x3000, isStore: true, notPresent: false).Kind);
        Assert.Equal([Data + 0x3000], log.Pages);
        Assert.True((_bench.LeafOf(Base + 0x3000) & 2) != 0);
        Assert.True((_bench.LeafOf(Base + 0x4000) & 2) == 0);
    }

    [Fact]
    public void Guest_pages_of_1G_are_split_on_two_levels()
    {
        ulong entry = _bench.EnsureEntry(Base, 2);
        _bench.Write(entry, X64FourLevel.LeafEntry(Data, 2, AccessRights.All, dirty: true), 2);
        _bench.Pager.LoadRoot(_bench.Root);
        int before = _bench.Pager.ShadowPages;
        Assert.Equal(ShadowFaultKind.Shadow, Fault(Base + 0x1234_5000, store: true));
        Assert.Equal(_bench.HpaOf(Data + 0x1234_5000), TableGeometry.PageAddress(_bench.LeafOf(Base + 0x1234_5000)!.Value, 0));
        Assert.Equal(before + 3, _bench.Pager.ShadowPages);
        Assert.True(_bench.Pager.SplitsPages);
    }

    /// <summary>
    /// Random maps, unmaps, accesses, writes of upper tables and notifier calls under a limit far too small: each shadow leaf equals what
    /// the guest's tables and the backing say, and the reverse map finds every leaf in the end.
    /// </summary>
    [Theory]
    [InlineData(64)]
    [InlineData(100_000)]
    public void Under_pressure_translations_stay_right(int maxPages)
    {
        for (ulong seed = 1; seed <= 12; seed++)
        {
            using var bench = new ShadowBench(pool: new ShadowPoolOptions(maxPages));
            RunUnderPressure(bench, new SplitMix(seed), maxPages, $"seed {seed}, limit {maxPages}");
        }
    }

    [Fact]
    public void A_limit_too_small_for_a_fault_is_refused()
        => Assert.Throws<ArgumentOutOfRangeException>(() => new ShadowBench(pool: new ShadowPoolOptions(8)));

    [Fact]
    public void Faults_allocate_nothing_once_their_pages_are_there()
    {
        for (ulong page = 0; page < 512; page++)
        {
            Map(Base + (page << 12), Data + (page << 12));
            _bench.Guest.Back(Data + (page << 12));
        }

        _bench.Pager.LoadRoot(_bench.Root);
        Assert.Equal(0, Allocations.Of(Sweep));

        void Sweep()
        {
            _bench.Pager.Unmap(Data, 512 << 12);
            for (ulong page = 0; page < 512; page++)
            {
                _bench.Pager.HandleFault(Base + (page << 12), isStore: true, notPresent: true);
            }
        }
    }

    private static void RunUnderPressure(ShadowBench bench, SplitMix random, int maxPages, string what)
    {
        const int Places = 160;
        bench.Pager.LoadRoot(bench.Root);
        for (int step = 0; step < 3_000; step++)
        {
            int place = random.Below(Places);

            // Places lie 2 MiB apart, so that each needs a table of its own.
            ulong address = Base + ((ulong)place << 21);
            switch (random.Below(10))
            {
                case 0:
                    ulong entry = bench.EnsureEntry(address, 0);
                    ulong gpa = Data + ((ulong)random.Below(64) << 12);
                    bench.Write(entry, random.Chance(80) ? X64FourLevel.LeafEntry(gpa, 0, AccessRights.All, random.Chance(50)) : 0, 0);
                    bench.Pager.SynchroniseAddress(address);
                    break;
                case 1:
                    bench.Pager.Unmap(Data + ((ulong)random.Below(64) << 12), 0x1000);
                    break;
                case 2:
                    ulong upper = bench.EnsureEntry(address, 1);
                    bench.Write(upper, bench.Guest.Read(upper), 1);
                    break;
                default:
                    bool store = random.Chance(50);
                    bench.Pager.HandleFault(address, store, notPresent: bench.LeafOf(address) is null);
                    break;
            }

            Assert.True(bench.Pager.ShadowPages <= maxPages, $"{what}, step {step}: {bench.Pager.ShadowPages} shadow pages");
            if (bench.LeafOf(address) is { } leaf)
            {
                ulong guestEntry = bench.Guest.Read(bench.EnsureEntry(address, 0));
                ulong expected = bench.HpaOf(TableGeometry.PageAddress(guestEntry, 0));
                Assert.True(
                    (guestEntry & 1) != 0 && TableGeometry.PageAddress(leaf, 0) == expected,
                    $"{what}, step {step}: the shadow of 0x{address:x} is 0x{leaf:x}, 0x{expected:x} expected");
                Assert.True((leaf & 2) == 0 || (guestEntry & 0x40) != 0, $"{what}, step {step}: writable, though the guest's page is clean");
            }
        }

        Assert.True(maxPages > 1000 || bench.Pager.Statistics.Recycled > 0, $"{what}: nothing was recycled");
        CheckReverseMap(bench, Places, what);
    }

    /// <summary>With the notifier, the reverse map must find every leaf: afterwards no table maps anything.</summary>
    private static void CheckReverseMap(ShadowBench bench, int places, string what)
    {
        bench.Pager.Unmap(Data, 64 << 12);
        for (int place = 0; place < places; place++)
        {
            Assert.True(bench.LeafOf(Base + ((ulong)place << 21)) is null, $"{what}: place {place} is still mapped");
        }
    }

    private ulong Map(ulong address, ulong gpa, AccessRights rights = AccessRights.All)
    {
        ulong entry = _bench.EnsureEntry(address, 0);
        _bench.Write(entry, X64FourLevel.LeafEntry(gpa, 0, rights, dirty: true), 0);
        return entry;
    }

    private ShadowFaultKind Fault(ulong address, bool store)
        => _bench.Pager.HandleFault(address, store, notPresent: _bench.LeafOf(address) is null).Kind;

    private sealed class PageList : IWriteLog
    {
        internal List<ulong> Pages { get; } = [];

        public void Mark(ulong gpa) => Pages.Add(gpa);
    }
}
