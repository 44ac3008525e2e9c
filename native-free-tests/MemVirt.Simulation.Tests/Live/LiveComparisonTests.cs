using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Shadow;
using MemVirt.Core.Sources;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Live;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Tests.Live;

/// <summary>A guest of a few pages of 4 KiB under native and shadow paging, its run told by hand.</summary>
public sealed class LiveComparisonTests : IDisposable
{
    private const ulong Kernel = 0xFFFF_8880_0000_0000;
    private const ulong Elsewhere = 0x4000_0000;
    private const ulong Root = 0x10_0000;
    private const ulong Data = 0x20_0000;
    private static readonly PagingRegisters Registers = new()
    {
        Cr0 = Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect,
        Cr3 = Root,
        Cr4 = Cr4.PhysicalAddressExtension,
        Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
    };

    private readonly SparseMemory _host = new();
    private readonly GuestMemory _guest;
    private readonly ShadowPager _pager;
    private readonly LiveComparison _comparison;
    private ulong _nextTable = Root + 0x1000;

    public LiveComparisonTests()
    {
        var frames = new FrameAllocator(1UL << 30, 1UL << 40);
        _guest = new GuestMemory(_host, frames, PageSize.Size4K);
        var rules = new GuestRules(ProcessorFeatures.Everything, Registers);
        _pager = new ShadowPager(_host, _guest, frames, rules: rules);
        Map(Kernel, Data);
        Map(Elsewhere, Data + 0x1000);
        _pager.LoadRoot(Root);
        var guest = new LiveGuest(_guest, _host, _pager, () => true, ProcessorFeatures.Everything);
        _comparison = new LiveComparison(
            MachinePresets.Load("skylake"), [Regime.Native, Regime.Shadow], PageSize.Size4K, guest, Registers);
    }

    public void Dispose()
    {
        _comparison.Dispose();
        _guest.Dispose();
        _host.Dispose();
    }

    /// <summary>Walk caches know 57 bits of an address, references 48: an INVLPG must name the same page to both.</summary>
    [Fact]
    public void Invlpg_of_an_upper_half_address_forgets_its_tables()
    {
        Access(Kernel, ReferenceKind.Load);
        _comparison.Invalidate(Kernel);
        Access(Kernel, ReferenceKind.Load);
        (RegimeResult native, _) = Finish();
        Assert.Equal((2, 8, 0), (native.Walks, native.WalkReferences.Total, native.OutrunWalks));
    }

    [Fact]
    public void A_flush_of_the_VMMs_own_empties_the_TLB_under_shadow_paging_alone()
    {
        Access(Kernel, ReferenceKind.Load);
        Access(Elsewhere, ReferenceKind.Load);
        Access(Kernel, ReferenceKind.Load);
        ulong directory = Table(Elsewhere, 1);
        for (int write = 0; write < 3; write++)
        {
            _pager.GuestTableWritten(directory);
        }

        Assert.Equal(1, _pager.Statistics.Flooded);
        Access(Kernel, ReferenceKind.Load);
        (RegimeResult native, RegimeResult shadow) = Finish();
        Assert.Equal((2, 3), (native.Walks, shadow.Walks));
        Assert.Equal((0, 0), (native.OutrunWalks, shadow.OutrunWalks));
    }

    /// <summary>The walk of a store that the VMM emulates ends in its exit and fills no TLB.</summary>
    [Fact]
    public void An_emulated_store_is_walked_each_time_under_shadow_paging()
    {
        Map(Kernel + 0x1000, Table(Kernel, 1));
        Fault(Kernel, isStore: true);
        for (int store = 0; store < 2; store++)
        {
            Assert.Equal(ShadowFaultKind.ProtectedTable, Fault(Kernel + 0x1000, isStore: true));
            _comparison.Run([new MemoryReference(ReferenceKind.Store, Kernel + 0x1000, 8)], instructions: 1);
            _pager.StoreEmulated(_pager.LastFaultAddress, sizeof(ulong));
        }

        (RegimeResult native, RegimeResult shadow) = Finish();
        Assert.Equal((1, 0, 2), (native.Walks, shadow.Walks, shadow.FaultedWalks.Count));
        Assert.Equal((0, 2, 0), (shadow.OutrunWalks, shadow.Events.ProtectedTableWrites, shadow.Events.DirtyFaults));
    }

    [Fact]
    public void A_walk_for_which_the_run_made_no_entry_is_told()
    {
        _comparison.Run([new MemoryReference(ReferenceKind.Store, Kernel, 8)], instructions: 1);
        (RegimeResult native, RegimeResult shadow) = Finish();
        Assert.Equal((0, 1), (native.OutrunWalks, shadow.OutrunWalks));
    }

    /// <summary>As KVM counts: a store to a leaf table is one fault, and the next are free.</summary>
    [Fact]
    public void A_store_that_lets_a_leaf_table_go_out_of_sync_is_one_exit()
    {
        Map(Elsewhere + 0x1000, Table(Kernel, 0));
        Access(Kernel, ReferenceKind.Store);
        Access(Elsewhere + 0x1000, ReferenceKind.Store);
        Access(Elsewhere + 0x1008, ReferenceKind.Store);
        (_, RegimeResult shadow) = Finish();
        EventCounts events = shadow.Events;
        Assert.Equal((1, 1, 0, 0), (events.ShadowFaults, events.Unsyncs, events.DirtyFaults, events.ProtectedTableWrites));
        Assert.Equal((2, 2), (shadow.ExitReasons!["pageFault"], events.Exits));
    }

    /// <summary>What a run does: the pager mends, then the reference is told.</summary>
    private void Access(ulong address, ReferenceKind kind)
    {
        bool isStore = kind == ReferenceKind.Store;
        ulong leaf = ShadowLeaf(address);
        if ((leaf & 1) == 0 || (isStore && (leaf & 2) == 0))
        {
            Fault(address, isStore);
        }

        _comparison.Run([new MemoryReference(kind, address, 8)], instructions: 1);
    }

    private ShadowFaultKind Fault(ulong address, bool isStore)
        => _pager.HandleFault(
            address, AccessRights.AlignmentCheck | (isStore ? AccessRights.Write : AccessRights.Read), (ShadowLeaf(address) & 1) == 0, out _).Kind;

    private (RegimeResult Native, RegimeResult Shadow) Finish()
    {
        ComparisonResult result = _comparison.Finish("guest", PageSize.Size4K);
        return (result.Regimes[0], result.Regimes[1]);
    }

    private ulong ShadowLeaf(ulong address)
    {
        ulong entry = _pager.ShadowRoot | 1;
        for (int level = 3; level >= 0 && (entry & 1) != 0; level--)
        {
            entry = _host.Read(TableGeometry.TableAddress(entry) + TableGeometry.EntryOffset(address, level));
        }

        return entry;
    }

    /// <summary>The guest's table of a level on the way to an address.</summary>
    private ulong Table(ulong address, int level)
    {
        ulong table = Root;
        for (int above = 3; above > level; above--)
        {
            ulong place = table + TableGeometry.EntryOffset(address, above);
            if (_guest.Read(place) == 0)
            {
                _guest.Write(place, X64FourLevel.TableEntry(_nextTable));
                _nextTable += 0x1000;
            }

            table = TableGeometry.TableAddress(_guest.Read(place));
        }

        return table;
    }

    private void Map(ulong address, ulong gpa)
    {
        _guest.Back(gpa);
        _guest.Write(Table(address, 0) + TableGeometry.EntryOffset(address, 0), X64FourLevel.LeafEntry(gpa, 0, AccessRights.All, dirty: true));
    }
}
