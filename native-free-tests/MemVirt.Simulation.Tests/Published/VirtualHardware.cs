using MemVirt.Core.Addresses;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Engine;
using MemVirt.Simulation.Machines;

namespace MemVirt.Simulation.Tests.Published;

/// <summary>What both kinds of virtual machine have: host memory, the guest's memory in 4 KiB host pages, caches and meters of a machine.</summary>
internal sealed class VirtualHardware : IDisposable
{
    internal const ushort VirtualProcessor = 1;
    private readonly MachineDescription _machine;
    private readonly DataCaches _dataCaches;

    internal VirtualHardware(MachineDescription machine, bool nested)
    {
        _machine = machine;
        _dataCaches = new DataCaches(machine.Caches ?? throw new ArgumentException("The machine has no data caches.", nameof(machine)));
        Reader = new MeteredReader(Host, new WalkMeter(_dataCaches, readCycles: 0, grid: null));
        WalkCaches = Structures.GuestCaches(machine.WalkCaches);
        NestedCaches = nested ? Structures.NestedCaches(machine.WalkCaches) : null;
        NestedTlb = nested ? Structures.BuildNestedTlb(machine.WalkCaches, PageSize.Size4K) : null;
        Guest = new GuestMemory(Host, HostFrames, PageSize.Size4K);
    }

    /// <summary>Four-level paging with WP, NX and PCIDs; no protection keys, which shadow paging does not follow.</summary>
    internal static PagingRegisters Registers { get; } = new()
    {
        Cr0 = Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect,
        Cr4 = Cr4.PhysicalAddressExtension | Cr4.PageGlobalEnable | Cr4.ProcessContextEnable,
        Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
    };

    internal SparseMemory Host { get; } = new();

    internal FrameAllocator HostFrames { get; } = new(1UL << 20, 1UL << 40);

    internal GuestMemory Guest { get; }

    internal MeteredReader Reader { get; }

    internal PagingStructureCaches? WalkCaches { get; }

    internal PagingStructureCaches? NestedCaches { get; }

    internal NestedTlb? NestedTlb { get; }

    internal int TlbEntries => _machine.Tlb.L2[0].Entries;

    internal int TlbWays => _machine.Tlb.L2[0].Ways ?? TlbEntries;

    internal double WalkCycles
    {
        get
        {
            long hits = NestedTlb?.Hits ?? 0;
            for (int level = 1; level <= 3; level++)
            {
                hits += (WalkCaches?.HitsAt(level) ?? 0) + (NestedCaches?.HitsAt(level) ?? 0);
            }

            return _dataCaches.WalkCycles + (hits * _machine.WalkCaches!.Latency);
        }
    }

    public void Dispose()
    {
        Guest.Dispose();
        Host.Dispose();
    }

    /// <summary>The access itself, after its translation.</summary>
    internal void Touch(ulong hpa) => _dataCaches.AccessByData(hpa);
}
