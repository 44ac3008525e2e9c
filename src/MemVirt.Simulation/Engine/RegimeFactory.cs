using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Shadow;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Explain;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;

namespace MemVirt.Simulation.Engine;

/// <summary>Puts a regime together on a machine. Memory is released with the last reference to it.</summary>
internal static class RegimeFactory
{
    /// <summary>Guest and host bump pointers start here.</summary>
    private const ulong FirstFrame = 1UL << 20;

    internal const uint SecondStageContext = 1;

    internal static RegimeSimulation Create(
        Regime regime, MachineDescription machine, PageSize guestPages, PageSize hostPages, int processes, bool details = false,
        GuestRules? rules = null)
    {
        RegimeHardware hardware = Hardware(regime, machine, guestPages, hostPages, details);
        var host = new SparseMemory();
        var reader = new MeteredReader(host, hardware.Meter);
        var guestFrames = new FrameAllocator(FirstFrame, host.LimitBytes);
        return regime switch
        {
            Regime.Native => Native(hardware, host, reader, guestFrames, guestPages, processes),
            Regime.Shadow => Shadow(hardware, host, reader, guestFrames, guestPages, hostPages, processes, rules),
            Regime.Ept => Nested<EptFormat>(hardware, host, reader, guestFrames, guestPages, hostPages, processes),
            _ => Nested<NptFormat>(hardware, host, reader, guestFrames, guestPages, hostPages, processes),
        };
    }

    /// <summary>A machine's structures for a regime, empty.</summary>
    internal static RegimeHardware Hardware(Regime regime, MachineDescription machine, PageSize guestPages, PageSize hostPages, bool details = false)
    {
        PageSize effective = regime == Regime.Native ? guestPages : PageSizeExtensions.Smaller(guestPages, hostPages);
        DataCaches? dataCaches = machine.Caches is { } caches ? new DataCaches(caches) : null;
        bool nested = regime is Regime.Ept or Regime.Npt;
        return BuildHardware(
            machine, effective, dataCaches, nested, hostPages, regime == Regime.Native ? 0u : 1u, details ? new SliceRecorder(regime) : null);
    }

    /// <summary>A machine's structures for a running guest, which has pages of every size.</summary>
    internal static RegimeHardware LiveHardware(Regime regime, MachineDescription machine, PageSize hostPages, bool details)
    {
        DataCaches? dataCaches = machine.Caches is { } caches ? new DataCaches(caches) : null;
        bool nested = regime is Regime.Ept or Regime.Npt;
        PagingStructureCaches? walkCaches = Structures.GuestCaches(machine.WalkCaches);
        PagingStructureCaches? nestedCaches = nested ? Structures.NestedCaches(machine.WalkCaches) : null;
        NestedTlb? nestedTlb = nested ? Structures.BuildNestedTlb(machine.WalkCaches, hostPages) : null;
        WalkGrid? grid = details ? new WalkGrid(nested, walkCaches, nestedTlb, nestedCaches, nested ? hostPages.LeafLevel() : 0) : null;
        return new RegimeHardware(
            AllSizes(machine.Tlb.L1i), AllSizes(machine.Tlb.L1d), machine.Tlb.L2.Count > 0 ? AllSizes(machine.Tlb.L2) : null, walkCaches,
            nestedCaches, nestedTlb, dataCaches, new WalkMeter(dataCaches, machine.WalkReferenceCycles, grid), new EventCounters(),
            details ? new SliceRecorder(regime) : null, regime == Regime.Native ? 0u : 1u);
    }

    private static TlbLevel AllSizes(IReadOnlyList<TlbStructureDescription> structures)
        => new(structures, PageSize.Size4K, PageSize.Size2M, PageSize.Size1G);

    private static RegimeHardware BuildHardware(
        MachineDescription machine, PageSize effective, DataCaches? dataCaches, bool nested, PageSize hostPages, uint virtualProcessor,
        SliceRecorder? slices)
    {
        // A walk enters the effective size; a hit of the second level enters the size that the second level holds of it.
        PageSize fromL2 = TlbLevel.LargestHeld(machine.Tlb.L2, effective) ?? effective;
        PagingStructureCaches? walkCaches = Structures.GuestCaches(machine.WalkCaches);
        PagingStructureCaches? nestedCaches = nested ? Structures.NestedCaches(machine.WalkCaches) : null;
        NestedTlb? nestedTlb = nested ? Structures.BuildNestedTlb(machine.WalkCaches, hostPages) : null;
        WalkGrid? grid = slices is null ? null : new WalkGrid(nested, walkCaches, nestedTlb, nestedCaches, nested ? hostPages.LeafLevel() : 0);
        return new RegimeHardware(
            new TlbLevel(machine.Tlb.L1i, effective, fromL2),
            new TlbLevel(machine.Tlb.L1d, effective, fromL2),
            machine.Tlb.L2.Count > 0 ? new TlbLevel(machine.Tlb.L2, effective) : null,
            walkCaches,
            nestedCaches,
            nestedTlb,
            dataCaches,
            new WalkMeter(dataCaches, machine.WalkReferenceCycles, grid),
            new EventCounters(),
            slices,
            virtualProcessor);
    }

    private static RegimeSimulation<NativeModel> Native(
        RegimeHardware hardware, SparseMemory host, MeteredReader reader, FrameAllocator frames, PageSize pages, int processes)
    {
        var guest = new GuestOperatingSystem<HostTableSpace>(
            new HostTableSpace(host, frames), frames, pages, processes, hardware.Events);
        var source = new TwoStageSource<X64FourLevel, IdentityStage, MeteredReader>(
            default, reader, TableKind.Guest, hardware.WalkCaches);
        return new RegimeSimulation<NativeModel>(new NativeModel(source, guest), hardware) { Tables = new RegimeTables(host, guest.RootOf(0)) };
    }

    private static RegimeSimulation<NestedModel<TFormat>> Nested<TFormat>(
        RegimeHardware hardware, SparseMemory host, MeteredReader reader, FrameAllocator guestFrames,
        PageSize guestPages, PageSize hostPages, int processes)
        where TFormat : struct, IPageTableFormat
    {
        var hostFrames = new FrameAllocator(FirstFrame, host.LimitBytes);
        var hostTables = new HostTableSpace(host, hostFrames);
        ulong root = hostTables.AllocateTable();
        var memory = new GuestMemory(host, hostFrames, hostPages);
        var guest = new GuestOperatingSystem<GuestTableSpace>(
            new GuestTableSpace(memory, guestFrames), guestFrames, guestPages, processes, hardware.Events);
        var stage = new NestedStage<TFormat, MeteredReader>(
            reader, root, SecondStageContext, hardware.NestedTlb, hardware.NestedCaches);
        var source = new TwoStageSource<X64FourLevel, NestedStage<TFormat, MeteredReader>, MeteredReader>(
            stage, reader, TableKind.Guest, hardware.WalkCaches);
        var parts = new NestedParts(
            guest, memory, hostTables, root, SecondStageContext, hardware.NestedTlb, hardware.NestedCaches, hardware.Events);
        return new RegimeSimulation<NestedModel<TFormat>>(new NestedModel<TFormat>(source, parts), hardware)
        {
            Tables = new RegimeTables(host, guest.RootOf(0), memory, SecondStageRoot: root),
        };
    }

    private static RegimeSimulation<ShadowModel> Shadow(
        RegimeHardware hardware, SparseMemory host, MeteredReader reader, FrameAllocator guestFrames,
        PageSize guestPages, PageSize hostPages, int processes, GuestRules? rules)
    {
        var hostFrames = new FrameAllocator(FirstFrame, host.LimitBytes);
        var memory = new GuestMemory(host, hostFrames, hostPages);

        // The model has no limit of shadow pages and gives no host frame twice.
        var pager = new ShadowPager(host, memory, hostFrames, new ShadowPoolOptions(int.MaxValue, ReusesTables: false), rules);
        var watch = new ShadowWriteWatch(pager, hardware.Events);
        var guest = new GuestOperatingSystem<ShadowedTableSpace>(
            new ShadowedTableSpace(new GuestTableSpace(memory, guestFrames), watch), guestFrames, guestPages, processes, hardware.Events);
        var source = new TwoStageSource<X64FourLevel, IdentityStage, MeteredReader>(
            default, reader, TableKind.Shadow, hardware.WalkCaches);
        return new RegimeSimulation<ShadowModel>(new ShadowModel(source, guest, pager, watch, hardware.Events), hardware)
        {
            Tables = new RegimeTables(host, guest.RootOf(0), memory, Pager: pager, Watch: watch),
        };
    }
}
