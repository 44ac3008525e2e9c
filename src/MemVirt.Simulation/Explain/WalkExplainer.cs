using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Sources;
using MemVirt.Simulation.Engine;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Explain;

/// <summary>Shows one access: maps it by a first touch, as the comparison's guest does, then walks it again with every cache empty.</summary>
public static class WalkExplainer
{
    /// <summary>Explains an access under a regime, on a guest that has touched nothing else.</summary>
    /// <param name="regime">The regime.</param>
    /// <param name="address">The linear address.</param>
    /// <param name="access">What the access does.</param>
    /// <param name="guestPages">The guest's page size.</param>
    /// <param name="hostPages">The size of the host pages behind the guest.</param>
    public static WalkExplanation Explain(
        Regime regime, GuestVirtualAddress address, MemoryAccess access, PageSize guestPages, PageSize hostPages)
    {
        RegimeSimulation simulation = RegimeFactory.Create(regime, Machine, guestPages, hostPages, processes: 1);
        ReferenceKind kind = access switch
        {
            MemoryAccess.Fetch => ReferenceKind.Fetch,
            MemoryAccess.Write => ReferenceKind.Store,
            _ => ReferenceKind.Load,
        };
        simulation.Run([new MemoryReference(kind, address.Value, sizeBytes: 1)], process: 0);
        EventCounts events = simulation.Hardware.Events.ToCounts(regime);

        var reads = new List<WalkRead>();
        simulation.Hardware.Meter.Recording = reads;
        Translation translation = simulation.WalkOnce(address.Value & MemoryReference.AddressMask, (AccessRights)access | AccessRights.User);
        ulong offset = address.OffsetIn(translation.Size);
        return new WalkExplanation(
            regime, address.Value, access, reads, translation.GuestPhysical + offset, translation.HostPage + offset, translation.Size, events);
    }

    /// <summary>The smallest machine there is: one TLB entry, no caches.</summary>
    private static MachineDescription Machine { get; } = new()
    {
        Name = "walk",
        Tlb = new TlbDescription { L1i = [OneEntry], L1d = [OneEntry] },
        Costs = new CostDescription
        {
            BaseCpi = 0, Overlap = 0, GuestFaultCycles = 0, ContextSwitchCycles = 0, ExitCycles = 0, HandlerCycles = new HandlerCycles(),
        },
    };

    private static TlbStructureDescription OneEntry => new() { Entries = 1, PageSizes = [PageSize.Size4K] };
}
