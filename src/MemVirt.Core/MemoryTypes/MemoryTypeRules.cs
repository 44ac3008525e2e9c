using MemVirt.Core.Registers;

namespace MemVirt.Core.MemoryTypes;

/// <summary>
/// Everything that decides memory types on one processor except the entries themselves: PATs, MTRRs, vendor and CR0.CD.
/// Immutable; a change of any of them makes another one. No call allocates.
/// </summary>
public sealed record MemoryTypeRules
{
    /// <summary>Whose tables.</summary>
    public ProcessorVendor Vendor { get; init; } = ProcessorVendor.Intel;

    /// <summary>IA32_PAT of whoever's page tables come first: the native system's or the guest's (gPAT).</summary>
    public PageAttributeTable PageAttributes { get; init; }

    /// <summary>The host's IA32_PAT, which AMD's nested entries choose from; no part of native paging or EPT.</summary>
    public PageAttributeTable HostPageAttributes { get; init; }

    /// <summary>The MTRRs of the processor; no part of EPT.</summary>
    public Mtrrs Mtrrs { get; init; } = Mtrrs.AllWriteBack;

    /// <summary>CR0.CD; with AMD's nested paging, the guest's or the host's.</summary>
    public bool CacheDisable { get; init; }

    /// <summary>The type of an access by native paging (Intel SDM Vol. 3A §11.5.2.2; AMD APM Vol. 2 §7.8).</summary>
    /// <param name="index">From <see cref="PageAttributeBits"/>.</param>
    /// <param name="address">The physical address.</param>
    public MemoryType Native(int index, ulong address)
        => EffectiveMemoryType.Of(Vendor, PageAttributes.TypeAt(index), Mtrrs.TypeOf(address), CacheDisable);

    /// <summary>The type of an access without paging: the MTRRs' (CR0.PG clear; Intel SDM Vol. 3A §11.11.4.1).</summary>
    public MemoryType Unpaged(ulong address)
        => EffectiveMemoryType.Of(Vendor, MemoryType.WriteBack, Mtrrs.TypeOf(address), CacheDisable);

    /// <summary>The type of an access through EPT (Intel SDM Vol. 3C §28.3.7.2).</summary>
    /// <param name="index">From the guest's entry, by <see cref="PageAttributeBits"/>.</param>
    /// <param name="eptLeaf">The last EPT entry.</param>
    public MemoryType ThroughEpt(int index, ulong eptLeaf)
        => EptMemoryType.Effective(PageAttributes.TypeAt(index), eptLeaf, CacheDisable);

    /// <summary>The type of an access through nested paging (AMD APM Vol. 2 §15.25.8).</summary>
    /// <param name="guestIndex">From the guest's entry.</param>
    /// <param name="hostIndex">From the nested leaf.</param>
    /// <param name="hostAddress">The system-physical address.</param>
    public MemoryType ThroughNpt(int guestIndex, int hostIndex, ulong hostAddress)
        => NestedMemoryType.Effective(
            PageAttributes.TypeAt(guestIndex), HostPageAttributes.TypeAt(hostIndex), Mtrrs.TypeOf(hostAddress), CacheDisable);
}
