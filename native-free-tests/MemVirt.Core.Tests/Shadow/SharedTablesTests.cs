using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Registers;
using MemVirt.Core.Shadow;
using MemVirt.Core.Sources;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Shadow;

/// <summary>Guest tables that several roots share, that several levels share, or that paths of different rights reach.</summary>
public sealed class SharedTablesTests : IDisposable
{
    private const ulong Base = 0x4000_0000;
    private const ulong Data = 1UL << 30;
    private const ulong NewData = Data + 0x5000;
    private readonly ShadowBench _bench = new();

    public void Dispose() => _bench.Dispose();

    /// <summary>The guest owes no INVLPG for a root that it never loaded before.</summary>
    [Theory]
    [InlineData(3)]
    [InlineData(2)]
    [InlineData(1)]
    public void A_root_loaded_for_the_first_time_leads_to_no_page_of_before(int sharedBelow)
    {
        ulong entry = Map(Base, Data);
        Map(Base + 0x4_0000, Data + 0x4_0000);
        _bench.Pager.LoadRoot(_bench.Root);
        Fault(Base, store: true);
        ulong other = _bench.NewTable();
        ulong place = _bench.EnsureEntry(Base, sharedBelow, other);
        _bench.Write(place, _bench.Guest.Read(_bench.EnsureEntry(Base, sharedBelow)), sharedBelow);
        Assert.Equal(GuestTableWrite.Unsync, Remap(entry));

        // A page nearby links the shared table, whose entry of the page is stale.
        _bench.Pager.LoadRoot(other);
        Fault(Base + 0x4_0000, store: true);
        Assert.Null(_bench.LeafOf(Base));
        Fault(Base, store: true);
        Assert.Equal(_bench.HpaOf(NewData), Page(Base));
    }

    /// <summary>Linked under both by then, so that reach counts and not the root that made it.</summary>
    [Fact]
    public void A_root_that_returns_leads_to_no_page_of_before_though_another_made_the_table()
    {
        ulong entry = Map(Base, Data);
        _bench.Pager.LoadRoot(_bench.Root);
        Fault(Base, store: true);
        ulong other = _bench.NewTable();
        ulong pml4e = _bench.EnsureEntry(Base, 3);
        _bench.Write(other + (pml4e & 0xFFF), _bench.Guest.Read(pml4e), 3);
        _bench.Pager.LoadRoot(other);
        Fault(Base, store: true);
        for (int unrelated = 0; unrelated < 4; unrelated++)
        {
            _bench.Pager.LoadRoot(_bench.NewTable());
        }

        Remap(entry);
        _bench.Pager.LoadRoot(other);
        Assert.Null(_bench.LeafOf(Base));
    }

    /// <summary>The same root under another PCID: nothing of it can be in a TLB yet.</summary>
    [Fact]
    public void A_root_under_a_new_pcid_leads_to_no_page_of_before()
    {
        ulong entry = Map(Base, Data);
        _bench.Pager.LoadRoot(_bench.Root | 1);
        Fault(Base, store: true);
        Remap(entry);
        _bench.Pager.LoadRoot(_bench.Root | 1);
        Assert.Equal(_bench.HpaOf(Data), Page(Base));
        _bench.Pager.LoadRoot(_bench.Root | 2);
        Assert.Null(_bench.LeafOf(Base));
    }

    /// <summary>What a PCID's old root leads to can have come into none of its TLB entries since the PCID had another.</summary>
    [Fact]
    public void A_pcid_that_returns_to_an_old_root_leads_to_no_page_of_before()
    {
        ulong entry = Map(Base, Data);
        _bench.Pager.LoadRoot(_bench.Root | 1);
        Fault(Base, store: true);
        _bench.Pager.LoadRoot(_bench.NewTable() | 1);
        Remap(entry);
        _bench.Pager.LoadRoot(_bench.Root | 1);
        Assert.Null(_bench.LeafOf(Base));
    }

    /// <summary>INVLPG under another PCID covers a global page, all of its pieces too.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_global_page_is_global_to_the_hardware_too(int level)
    {
        var registers = new PagingRegisters
        {
            Cr0 = Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect,
            Cr4 = Cr4.PhysicalAddressExtension | Cr4.PageGlobalEnable,
            Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
        };
        var rules = new GuestRules(ProcessorFeatures.Everything, registers);
        using var bench = new ShadowBench(rules: rules);
        foreach (ulong page in new[] { Base, Base + 0x4000_0000 })
        {
            ulong leaf = X64FourLevel.LeafEntry(Data, level, AccessRights.All, dirty: true) | (page == Base ? X64FourLevel.Global : 0);
            bench.Write(bench.EnsureEntry(page, level), leaf, level);
        }

        bench.Pager.LoadRoot(bench.Root);
        Mmu<ShadowSource<HostTableReader>> mmu = MmuFactory.Shadow(bench.Host, bench.Pager);
        Assert.True(mmu.TranslateBeyondFront(GuestVirtualAddress.Create(Base), MemoryAccess.Read).IsGlobal);
        Assert.False(mmu.TranslateBeyondFront(GuestVirtualAddress.Create(Base + 0x4000_0000), MemoryAccess.Read).IsGlobal);
        registers = registers with { Cr4 = Cr4.PhysicalAddressExtension };
        rules.Update(in registers);
        mmu.Invalidate(Invalidation.TlbInvalidation.All);
        Assert.False(mmu.TranslateBeyondFront(GuestVirtualAddress.Create(Base), MemoryAccess.Read).IsGlobal);
    }

    /// <summary>INVPCID names an address of a process that is not the current one; its root stays kept, and is not synchronised on return.</summary>
    [Fact]
    public void An_address_is_put_in_sync_under_every_root_that_is_kept()
    {
        ulong entry = Map(Base, Data);
        _bench.Pager.LoadRoot(_bench.Root);
        Fault(Base, store: true);
        _bench.Pager.LoadRoot(_bench.NewTable() | 1);
        Assert.Equal(GuestTableWrite.Unsync, Remap(entry));
        _bench.Pager.SynchroniseAddress(Base);
        _bench.Pager.LoadRoot(_bench.Root);
        Assert.Null(_bench.LeafOf(Base));
    }

    /// <summary>PML4[511] refers to the PML4, so that the page directory is a leaf table too, and stays protected as both.</summary>
    [Fact]
    public void A_table_shadowed_at_two_levels_follows_a_write_at_both()
    {
        _bench.Write(_bench.Root + (511 * 8), X64FourLevel.TableEntry(_bench.Root), 3);
        Map(Base, Data);
        ulong pde = _bench.EnsureEntry(Base, 1);
        const ulong Window = 0xFF80_0000_0000 + ((Base >> 12) * 8);
        _bench.Pager.LoadRoot(_bench.Root);
        Assert.Equal(ShadowFaultKind.Shadow, Fault(Window, store: false));
        Assert.Equal(ShadowFaultKind.Shadow, Fault(Base, store: true));
        Assert.Equal(_bench.HpaOf(TableGeometry.TableAddress(_bench.Guest.Read(pde))), Page(Window));

        ulong table = _bench.NewTable();
        Assert.Equal(GuestTableWrite.Protected, _bench.Write(pde, X64FourLevel.TableEntry(table), 1));
        Assert.Null(_bench.LeafOf(Window));
        Assert.Null(_bench.LeafOf(Base));
        Assert.Equal(ShadowFaultKind.Shadow, Fault(Window, store: false));
        Assert.Equal(_bench.HpaOf(table), Page(Window));
    }

    /// <summary>An upper table is never out of sync, and so neither is the frame as a leaf table.</summary>
    [Fact]
    public void A_leaf_table_that_is_out_of_sync_goes_when_its_frame_becomes_an_upper_table()
    {
        ulong entry = Map(Base, Data);
        _bench.Pager.LoadRoot(_bench.Root);
        Fault(Base, store: true);
        Assert.Equal(GuestTableWrite.Unsync, _bench.Write(entry, X64FourLevel.TableEntry(_bench.NewTable()), 0));
        const ulong Upper = 0x80_0000_0000;
        _bench.Write(_bench.EnsureEntry(Upper, 2), X64FourLevel.TableEntry(entry & ~0xFFFUL), 2);
        ulong alias = Upper + ((entry & 0xFFF) << (21 - 3));
        ulong pte = _bench.EnsureEntry(alias, 0);
        _bench.Write(pte, X64FourLevel.LeafEntry(NewData, 0, AccessRights.All, dirty: true), 0);
        Assert.Equal(ShadowFaultKind.Shadow, Fault(alias, store: true));
        Assert.Null(_bench.LeafOf(Base));
        Assert.Equal(GuestTableWrite.Protected, _bench.Write(entry, 0, 0));
        Assert.Null(_bench.LeafOf(alias));
    }

    /// <summary>A page for each set of rights (KVM's role.access), and the guest's own fault where the path denies.</summary>
    [Fact]
    public void A_table_reached_by_paths_of_different_rights_has_a_page_for_each()
    {
        ulong entry = Map(Base, Data);
        const ulong Alias = Base + 0x20_0000;
        ulong readOnly = X64FourLevel.LeafEntry(entry & ~0xFFFUL, 0, AccessRights.Read, dirty: false);
        _bench.Write(_bench.EnsureEntry(Alias, 1), readOnly, 1);
        _bench.Pager.LoadRoot(_bench.Root);
        Fault(Base, store: true);
        int before = _bench.Pager.ShadowPages;
        Assert.Equal(ShadowFaultKind.Guest, Fault(Alias, store: true));
        const AccessRights Supervisor = AccessRights.Read;
        Assert.Equal(ShadowFaultKind.Shadow, _bench.Pager.HandleFault(Alias, Supervisor, notPresent: true, out _).Kind);
        Assert.Equal(before + 1, _bench.Pager.ShadowPages);
        Assert.Equal(AccessRights.Read, X64FourLevel.Rights(_bench.LeafOf(Alias)!.Value));
        Assert.Equal(AccessRights.All, X64FourLevel.Rights(_bench.LeafOf(Base)!.Value) & AccessRights.All);

        // Both go out of sync on one write, and both follow.
        Assert.Equal(GuestTableWrite.Unsync, Remap(entry));
        Assert.Equal(2, _bench.Pager.Statistics.Unsyncs);
        _bench.Pager.Synchronise();
        Assert.Null(_bench.LeafOf(Base));
        Assert.Null(_bench.LeafOf(Alias));
    }

    /// <summary>
    /// INVLPG drops the shadow's leaf, and a TLB elsewhere may still hold it writable: before its frame is protected as a table, or given
    /// away, all TLBs are to be flushed.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_writable_page_that_a_tlb_may_hold_still_is_flushed_before_it_is_a_table_or_given_away(bool isTable)
    {
        ulong entry = Map(Base, Data);
        _bench.Pager.LoadRoot(_bench.Root);
        Fault(Base, store: true);
        _bench.Write(entry, 0, 0);
        _bench.Pager.SynchroniseAddress(Base);
        Assert.Null(_bench.LeafOf(Base));
        if (isTable)
        {
            const ulong Far = 0x80_0000_0000;
            _bench.Write(_bench.EnsureEntry(Far, 2), X64FourLevel.TableEntry(Data), 2);
            Map(Far, NewData);
            Assert.True(_bench.Pager.HandleFault(Far, isStore: true, notPresent: true).FlushAll);
        }
        else
        {
            Assert.True(_bench.Pager.Unmap(Data, 0x1000));
        }

        Assert.False(_bench.Pager.Unmap(Data, 0x1000));
    }

    /// <summary>A protected page of data is not a shadow-stack page, though its leaf in the guest is dirty.</summary>
    [Fact]
    public void A_dirty_page_that_is_protected_admits_no_shadow_stack_access()
    {
        Map(Base, Data);
        ulong table = _bench.EnsureEntry(Base, 1) & ~0xFFFUL;
        Map(Base + 0x1000, table);
        _bench.Pager.LoadRoot(_bench.Root);
        Mmu<ShadowSource<HostTableReader>> mmu = MmuFactory.Shadow(_bench.Host, _bench.Pager);
        Assert.Equal(TranslationStatus.Ok, mmu.Translate(GuestVirtualAddress.Create(Base + 0x1000), MemoryAccess.Read, out _));
        Assert.Equal(AccessRights.None, X64FourLevel.LeafRights(_bench.LeafOf(Base + 0x1000)!.Value) & AccessRights.ShadowStack);
        Assert.Equal(AccessRights.None, X64FourLevel.Rights(_bench.LeafOf(Base + 0x1000)!.Value) & AccessRights.Write);
    }

    /// <summary>A store of the shadow stack goes to a page that is read-only, and stays that.</summary>
    [Fact]
    public void A_store_of_the_shadow_stack_makes_no_page_writable()
    {
        ulong entry = _bench.EnsureEntry(Base, 0);
        _bench.Write(entry, X64FourLevel.LeafEntry(Data, 0, AccessRights.Read | AccessRights.User, dirty: true), 0);
        _bench.Pager.LoadRoot(_bench.Root);
        Mmu<ShadowSource<HostTableReader>> mmu = MmuFactory.Shadow(_bench.Host, _bench.Pager);
        const AccessRights Push = AccessRights.User | AccessRights.Write | AccessRights.ShadowStack;
        Assert.Equal(TranslationStatus.Ok, mmu.TranslateAs(GuestVirtualAddress.Create(Base), Push).Status);
        AccessRights rights = X64FourLevel.LeafRights(_bench.LeafOf(Base)!.Value);
        Assert.Equal(AccessRights.User | AccessRights.ShadowStack, rights & (AccessRights.User | AccessRights.ShadowStack | AccessRights.Write));
    }

    private ulong Map(ulong address, ulong gpa)
    {
        ulong entry = _bench.EnsureEntry(address, 0);
        _bench.Write(entry, X64FourLevel.LeafEntry(gpa, 0, AccessRights.All, dirty: true), 0);
        return entry;
    }

    private GuestTableWrite Remap(ulong entry)
    {
        _bench.Guest.Resolve(NewData);
        return _bench.Write(entry, X64FourLevel.LeafEntry(NewData, 0, AccessRights.All, dirty: true), 0);
    }

    private ShadowFaultKind Fault(ulong address, bool store)
        => _bench.Pager.HandleFault(address, store, notPresent: _bench.LeafOf(address) is null).Kind;

    private ulong Page(ulong address) => TableGeometry.PageAddress(_bench.LeafOf(address)!.Value, 0);
}
