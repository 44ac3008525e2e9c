using MemVirt.Core.Addresses;

namespace MemVirt.Core.Invalidation;

/// <summary>How much an invalidation covers.</summary>
public enum InvalidationScope
{
    /// <summary>One linear address in one context: INVLPG, INVPCID type 0, INVVPID type 0, INVLPGA.</summary>
    Address,

    /// <summary>One context: MOV CR3 with bit 63 clear, INVPCID type 1.</summary>
    Context,

    /// <summary>All contexts of one VPID or ASID: INVVPID type 1, TLB_CONTROL 3.</summary>
    VirtualProcessor,

    /// <summary>Everything: INVPCID type 2, INVVPID type 2, INVEPT types 1 and 2, TLB_CONTROL 1, a changed second stage.</summary>
    All,
}

/// <summary>
/// What must be forgotten, whichever instruction or edit asked for it. An invalidation may drop more than it names, never less
/// (Intel SDM Vol. 3A §4.10.4.2).
/// </summary>
public readonly record struct TlbInvalidation
{
    private TlbInvalidation(InvalidationScope scope, ushort virtualProcessor, ushort processContext, GuestVirtualAddress address)
        => (Scope, VirtualProcessor, ProcessContext, Address) = (scope, virtualProcessor, processContext, address);

    /// <summary>Everything.</summary>
    public static TlbInvalidation All => new(InvalidationScope.All, 0, 0, default);

    /// <summary>How much.</summary>
    public InvalidationScope Scope { get; }

    /// <summary>VPID or ASID.</summary>
    public ushort VirtualProcessor { get; }

    /// <summary>PCID.</summary>
    public ushort ProcessContext { get; }

    /// <summary>The linear address.</summary>
    public GuestVirtualAddress Address { get; }

    /// <summary>One address in one context, whatever the size of its page.</summary>
    public static TlbInvalidation OfAddress(ushort virtualProcessor, ushort processContext, GuestVirtualAddress address)
        => new(InvalidationScope.Address, virtualProcessor, processContext, address);

    /// <summary>One context.</summary>
    public static TlbInvalidation OfContext(ushort virtualProcessor, ushort processContext)
        => new(InvalidationScope.Context, virtualProcessor, processContext, default);

    /// <summary>All contexts of a VPID or ASID.</summary>
    public static TlbInvalidation OfVirtualProcessor(ushort virtualProcessor)
        => new(InvalidationScope.VirtualProcessor, virtualProcessor, 0, default);
}
