using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Registers;
using MemVirt.Core.Shadow;
using MemVirt.Core.Sources;
using MemVirt.Core.Tests.Registers;
using MemVirt.Core.Tests.Tlb;
using MemVirt.Core.Walking;

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

    [Fact]
    public void The_first_store_to_remembered_mmio_sets_the_guests_dirty_bit()
    {
        _bench.Pager.HasMmio = (gpa, _) => gpa >= Device;
        ulong entry = _bench.EnsureEntry(Base, 0);
        _bench.Write(entry, X64FourLevel.LeafEntry(Device, 0, AccessRights.All, dirty: false), 0);
        _bench.Pager.LoadRoot(_bench.Root);
        Assert.Equal(ShadowFaultKind.Mmio, Fault(Base, store: false));
        Assert.Equal(0UL, _bench.Guest.Read(entry) & X64FourLevel.DirtyBit);
        Assert.Equal(ShadowFaultKind.Mmio, Fault(Base, store: true));
        Assert.NotEqual(0UL, _bench.Guest.Read(entry) & X64FourLevel.DirtyBit);
    }

    [Fact]
    public void A_store_to_mmio_through_a_read_only_path_is_the_guests_fault_though_another_path_may_write()
    {
        _bench.Pager.HasMmio = (gpa, _) => gpa >= Device;
        ulong entry = Map(Base, Device);
        const ulong Alias = 0x8000_0000;
        const AccessRights ReadOnly = AccessRights.Read | AccessRights.User;
        _bench.Write(_bench.EnsureEntry(Alias, 1), X64FourLevel.LeafEntry(entry & ~0xFFFUL, 0, ReadOnly, dirty: false), 1);
        _bench.Pager.LoadRoot(_bench.Root);
        Assert.Equal(ShadowFaultKind.Mmio, Fault(Alias, store: false));
        Assert.Equal(ShadowFaultKind.Mmio, Fault(Base, store: true));
        Assert.Equal(ShadowFaultKind.Guest, Fault(Alias, store: true));
    }

    /// <summary>The MMU too is answered from the shadow leaf, without the guest's tables, which may have changed unseen.</summary>
    [Fact]
    public void An_mmu_answers_remembered_mmio_without_the_guests_tables_but_by_their_rights()
    {
        _bench.Pager.HasMmio = (gpa, _) => gpa >= Device;
        ulong entry = Map(Base, Device, AccessRights.Read | AccessRights.Write);
        _bench.Pager.LoadRoot(_bench.Root);
        Mmu<ShadowSource<HostTableReader>> mmu = MmuFactory.Shadow(_bench.Host, _bench.Pager);
        Assert.Equal(TranslationStatus.SecondStageNotPresent, mmu.Translate(GuestVirtualAddress.Create(Base), MemoryAccess.Write, out _));
        _bench.Guest.Write(entry, 0);
        Assert.Equal(TranslationStatus.SecondStageNotPresent, mmu.Translate(GuestVirtualAddress.Create(Base), MemoryAccess.Write, out _));
        mmu.SwitchPrivilege(user: true, alignmentCheck: false);
        Assert.Equal(TranslationStatus.GuestNotPresent, mmu.Translate(GuestVirtualAddress.Create(Base), MemoryAccess.Read, out _));
    }

    [Theory]
    [InlineData(PageSize.Size4K, 1)]
    [InlineData(PageSize.Size2M, 1)]
    [InlineData(PageSize.Size2M, 2)]
    [InlineData(PageSize.Size1G, 2)]
    public void A_large_page_is_not_mapped_whole_over_a_device(PageSize backing, int level)
    {
        using var bench = new ShadowBench(backing);
        const ulong Inside = 0x3F_F000;
        bench.Pager.HasMmio = (gpa, length) => Data + Inside - gpa < length;
        bench.Write(bench.EnsureEntry(Base, level), X64FourLevel.LeafEntry(Data, level, AccessRights.All, dirty: true), level);
        bench.Write(
            bench.EnsureEntry(Base + 0x20_0000, level),
            X64FourLevel.LeafEntry(Data + (level == 1 ? 0x20_0000UL : 0), level, AccessRights.All, dirty: true),
            level);
        bench.Pager.LoadRoot(bench.Root);
        Assert.Equal(ShadowFaultKind.Shadow, bench.Pager.HandleFault(Base + 0x20_0000, isStore: true, notPresent: true).Kind);
        Assert.Equal(ShadowFaultKind.Shadow, bench.Pager.HandleFault(Base, isStore: true, notPresent: true).Kind);
        Assert.Null(bench.LeafOf(Base + Inside));
        Assert.Equal(ShadowFaultKind.Mmio, bench.Pager.HandleFault(Base + Inside, isStore: true, notPresent: true).Kind);
        Assert.Equal(backing > PageSize.Size4K, (bench.LeafOf(Base) & 0x80) != 0);
    }

    /// <summary>Guest tables that the pager writes are memory that a migration has to copy again.</summary>
    [Fact]
    public void Flags_that_the_pager_sets_are_logged_and_so_are_emulated_stores()
    {
        var log = new PageList();
        ulong entry = _bench.EnsureEntry(Base, 0);
        _bench.Write(entry, X64FourLevel.LeafEntry(Data, 0, AccessRights.All, dirty: false) & ~X64FourLevel.AccessedBit, 0);
        _bench.Pager.LoadRoot(_bench.Root);
        _bench.Pager.WriteLog = log;
        Fault(Base, store: false);
        Assert.Equal([entry & ~0xFFFUL], log.Pages);
        Fault(Base, store: true);
        Assert.Equal([entry & ~0xFFFUL, entry & ~0xFFFUL, Data], log.Pages);
        log.Pages.Clear();
        ulong pde = _bench.EnsureEntry(Base, 1);
        Assert.Equal(GuestTableWrite.Protected, _bench.Write(pde, _bench.Guest.Read(pde), 1));
        Assert.Equal([pde & ~0xFFFUL], log.Pages);
    }

    /// <summary>EFER.NXE is clear, so that bit 63 is reserved: what would fault is mapped neither by prefetch nor by INVLPG.</summary>
    [Fact]
    public void A_neighbour_with_a_reserved_bit_is_not_mapped()
    {
        var registers = new PagingRegisters
        {
            Cr0 = Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect,
            Cr4 = Cr4.PhysicalAddressExtension,
            Efer = Efer.LongModeEnable | Efer.LongModeActive,
        };
        using var bench = new ShadowBench(rules: new GuestRules(ProcessorFeatures.Everything, registers));
        ulong entry = bench.EnsureEntry(Base, 0);
        const ulong Leaf = 0x67;
        bench.Write(entry, Data | Leaf, 0);
        bench.Write(entry + 8, (Data + 0x1000) | Leaf | X64FourLevel.ExecuteDisable, 0);
        bench.Write(entry + 16, (Data + 0x2000) | Leaf, 0);
        bench.Guest.Back(Data + 0x1000);
        bench.Guest.Back(Data + 0x2000);
        bench.Pager.LoadRoot(bench.Root);
        Mmu<ShadowSource<HostTableReader>> mmu = MmuFactory.Shadow(bench.Host, bench.Pager);
        Assert.Equal(TranslationStatus.Ok, mmu.Translate(GuestVirtualAddress.Create(Base), MemoryAccess.Read, out _));
        Assert.Equal(
            TranslationStatus.GuestReservedBit, mmu.Translate(GuestVirtualAddress.Create(Base + 0x1000), MemoryAccess.Read, out _));
        Assert.NotNull(bench.LeafOf(Base + 0x2000));
        bench.Write(entry + 16, (Data + 0x2000) | Leaf | X64FourLevel.ExecuteDisable, 0);
        bench.Pager.SynchroniseAddress(Base + 0x2000);
        Assert.Null(bench.LeafOf(Base + 0x2000));
    }

    /// <summary>SMEP and SMAP hold for what the shadow maps already, as the hardware's CR4 has them on.</summary>
    [Fact]
    public void Supervisor_access_of_user_pages_is_prevented_though_the_shadow_maps_them()
    {
        var registers = new PagingRegisters
        {
            Cr0 = Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect,
            Cr4 = Cr4.PhysicalAddressExtension | Cr4.SupervisorAccessPrevention | Cr4.SupervisorExecutionPrevention,
            Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
        };
        using var bench = new ShadowBench(rules: new GuestRules(ProcessorFeatures.Everything, registers));
        bench.Write(bench.EnsureEntry(Base, 0), X64FourLevel.LeafEntry(Data, 0, AccessRights.All, dirty: true), 0);
        bench.Pager.LoadRoot(bench.Root);
        Mmu<ShadowSource<HostTableReader>> mmu = MmuFactory.Shadow(bench.Host, bench.Pager);
        mmu.SwitchPrivilege(user: true, alignmentCheck: false);
        Assert.Equal(TranslationStatus.Ok, mmu.Translate(GuestVirtualAddress.Create(Base), MemoryAccess.Write, out _));
        mmu.SwitchPrivilege(user: false, alignmentCheck: false);
        foreach (MemoryAccess access in new[] { MemoryAccess.Read, MemoryAccess.Write, MemoryAccess.Fetch })
        {
            Assert.Equal(TranslationStatus.GuestProtection, mmu.Translate(GuestVirtualAddress.Create(Base), access, out _));
        }
    }

    [Theory]
    [InlineData(0UL, Cr4.PhysicalAddressExtension | Cr4.SupervisorAccessPrevention)]
    [InlineData(Cr0.WriteProtect, Cr4.PhysicalAddressExtension | Cr4.ProtectionKeysUser)]
    [InlineData(Cr0.WriteProtect, Cr4.PhysicalAddressExtension | Cr4.LinearAddress57)]
    public void Registers_that_it_cannot_follow_are_refused(ulong cr0, ulong cr4)
    {
        var registers = new PagingRegisters
        {
            Cr0 = Cr0.Paging | Cr0.ProtectionEnable | cr0, Cr4 = cr4, Efer = Efer.LongModeEnable | Efer.LongModeActive,
        };
        var rules = new GuestRules();
        using var bench = new ShadowBench(rules: rules);
        rules.Update(in registers);
        Assert.Throws<NotSupportedException>(() => bench.Pager.LoadRoot(bench.Root));
        Assert.Throws<NotSupportedException>(() => new ShadowBench(rules: rules));
    }

    [Theory]
    [InlineData(PageSize.Size4K)]
    [InlineData(PageSize.Size2M)]
    [InlineData(PageSize.Size1G)]
    public void Ranges_end_where_they_say_and_with_the_address_space_at_the_latest(PageSize backing)
    {
        using var bench = new ShadowBench(backing);
        for (ulong page = 0; page < 8; page++)
        {
            bench.Write(
                bench.EnsureEntry(Base + (page << 12), 0), X64FourLevel.LeafEntry(Data + (page << 12), 0, AccessRights.All, dirty: true), 0);
        }

        bench.Pager.LoadRoot(bench.Root);
        bench.Pager.HandleFault(Base, isStore: true, notPresent: true);
        for (ulong page = 0; page < 8; page++)
        {
            bench.Pager.HandleFault(Base + (page << 12), isStore: true, notPresent: true);
        }

        Assert.False(bench.Pager.WriteProtect(Data + 0x3000, 0));
        Assert.True(bench.Pager.WriteProtect(Data + 0x2000, 0x2000));
        Assert.Equal([0, 1, 4, 5, 6, 7], Mapped(bench, 2));
        Assert.True(bench.Pager.Unmap(Data + 0x6000, ulong.MaxValue));
        Assert.Equal([0, 1, 2, 3, 4, 5], Mapped(bench, 1));
        Assert.True(bench.Pager.Unmap(0, Data + 0x1000));
        Assert.Equal([1, 2, 3, 4, 5], Mapped(bench, 1));
        Assert.True(bench.Pager.Unmap(Data, ulong.MaxValue - Data + 1));
        Assert.Empty(Mapped(bench, 1));
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
        foreach (ulong offset in new ulong[] { 0x1234_5000, 0x1234_0000, 0, 0x3FFF_F000 })
        {
            Assert.Equal(ShadowFaultKind.Shadow, Fault(Base + offset, store: true));
            Assert.Equal(_bench.HpaOf(Data + offset), TableGeometry.PageAddress(_bench.LeafOf(Base + offset)!.Value, 0));
        }

        // A PDPT of the guest's, a direct page directory, and three direct page tables.
        Assert.Equal(before + 5, _bench.Pager.ShadowPages);
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

    [Fact]
    public void Recycling_allocates_nothing_once_warm()
    {
        using var bench = new ShadowBench(pool: new ShadowPoolOptions(64));
        for (ulong place = 0; place < 160; place++)
        {
            bench.Write(
                bench.EnsureEntry(Base + (place << 21), 0), X64FourLevel.LeafEntry(Data + (place << 12), 0, AccessRights.All, dirty: true), 0);
            bench.Guest.Back(Data + (place << 12));
        }

        bench.Pager.LoadRoot(bench.Root);
        Assert.Equal(0, Allocations.Of(Sweep));
        Assert.True(bench.Pager.Statistics.Recycled > 0);

        void Sweep()
        {
            for (ulong place = 0; place < 160; place++)
            {
                bench.Pager.HandleFault(Base + (place << 21), isStore: true, notPresent: true);
            }
        }
    }

    private static IEnumerable<int> Mapped(ShadowBench bench, ulong bits)
        => Enumerable.Range(0, 8).Where(page => (bench.LeafOf(Base + ((ulong)page << 12)) & bits) == bits);

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
