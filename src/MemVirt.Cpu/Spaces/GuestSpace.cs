using MemVirt.Core;
using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;

namespace MemVirt.Cpu.Spaces;

/// <summary>
/// A guest's physical memory and the regime that translates for it: native, shadow paging, EPT or NPT. The processor sees the paging
/// unit, and comes here with what a second stage or shadow paging does not let pass.
/// </summary>
internal abstract class GuestSpace : IDisposable
{
    /// <summary>The paging unit.</summary>
    public abstract PagingUnit Unit { get; }

    /// <summary>Host memory, to which translations lead.</summary>
    public abstract SparseMemory Memory { get; }

    /// <summary>Which host frames are no RAM, or hold decoded code.</summary>
    public abstract FrameWatch Watch { get; }

    /// <summary>Guest RAM: it begins at guest-physical 0 and lies in one piece below the hole at 3 GiB, the rest from 4 GiB on.</summary>
    public abstract ulong RamBytes { get; }

    /// <summary>EPT violations or nested page faults that were handled.</summary>
    public long SecondStageFaults { get; protected set; }

    /// <summary>What is called before a fault changes shadow tables; nothing under regimes that have none.</summary>
    public virtual Action? FaultAnnouncement
    {
        get => null;
        set => _ = value;
    }

    /// <summary>The host-physical address of guest RAM; false where there is none.</summary>
    public abstract bool TryResolve(ulong gpa, out ulong hpa);

    /// <summary>The guest-physical address that leads to a host-physical one which is no RAM.</summary>
    public abstract ulong DeviceAddress(ulong hpa);

    /// <summary>Handles what is no fault of the guest's own.</summary>
    /// <param name="fault">Second-stage faults, protected tables, misconfigurations.</param>
    /// <param name="linear">The linear address of the access.</param>
    /// <param name="access">The access.</param>
    /// <param name="gpa">The guest-physical address of the access.</param>
    public abstract StageOutcome Handle(in Translation fault, ulong linear, MemoryAccess access, out ulong gpa);

    /// <summary>A store of <see cref="StageOutcome.EmulateStore"/> has been made.</summary>
    public virtual void StoreEmulated(ulong gpa, int lengthBytes)
    {
    }

    /// <summary>Loads registers that are taken for valid.</summary>
    public abstract void Load(in PagingRegisters registers);

    /// <summary>A space of a regime.</summary>
    public static GuestSpace Create(GuestRegime regime, ulong ramBytes, ProcessorFeatures features, in PagingRegisters registers)
        => regime switch
        {
            GuestRegime.Native => new NativeSpace(ramBytes, features, in registers),
            GuestRegime.Ept => new NestedSpace<EptFormat>(ramBytes, features, in registers),
            GuestRegime.Npt => new NestedSpace<NptFormat>(ramBytes, features, in registers),
            _ => new ShadowSpace(ramBytes, features, in registers),
        };

    /// <summary>Releases the memory.</summary>
    public abstract void Dispose();
}
