using MemVirt.Core.Access;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Simulation.Engine;

/// <summary>What the VMM of an EPT or NPT guest works on.</summary>
internal sealed record NestedParts(
    GuestOperatingSystem<GuestTableSpace> Guest,
    GuestMemory Memory,
    HostTableSpace HostTables,
    ulong Root,
    uint Context,
    NestedTlb? NestedTlb,
    PagingStructureCaches? NestedCaches,
    EventCounters Events);

/// <summary>EPT or NPT: two-dimensional walks; the VMM backs guest-physical pages on demand.</summary>
internal struct NestedModel<TFormat>(
    TwoStageSource<X64FourLevel, NestedStage<TFormat, MeteredReader>, MeteredReader> source, NestedParts parts) : IRegimeModel
    where TFormat : struct, IPageTableFormat
{
    private TwoStageSource<X64FourLevel, NestedStage<TFormat, MeteredReader>, MeteredReader> _source = source;
    private int _process;

    public Translation Walk(ulong address, AccessRights needed) => _source.Translate(address, needed);

    public readonly FaultEffect HandleFault(in Translation fault, ulong address, bool store)
    {
        if (fault.Status == TranslationStatus.GuestNotPresent)
        {
            parts.Guest.HandlePageFault(_process, address, store);
            return FaultEffect.DropAddress;
        }

        ulong gpa = fault.GuestPhysical;
        Back(gpa);
        parts.Events.SecondStageFaults++;
        parts.NestedTlb?.Drop(gpa, parts.Context);
        parts.NestedCaches?.Drop(gpa, parts.Context);
        return fault.IsTableAccess ? FaultEffect.None : FaultEffect.DropAddress;
    }

    public void SwitchTo(int process, uint context)
    {
        _process = process;
        _source.Root = parts.Guest.RootOf(process);
        _source.Context = context;
    }

    /// <summary>Missing second-stage tables from the top down, then the page, writable with A and D set as KVM installs it.</summary>
    private readonly void Back(ulong gpa)
    {
        int level = Core.Addresses.PageSizeExtensions.LeafLevel(parts.Memory.BackingSize);
        HostTableSpace tables = parts.HostTables;
        ulong entryAddress = PageTableEditor<TFormat, HostTableSpace>.EnsureEntry(ref tables, parts.Root, gpa, level, out _);
        ulong page = parts.Memory.Back(gpa);
        tables.Write(entryAddress, TFormat.LeafEntry(page, level, AccessRights.All, dirty: true), level);
    }
}
