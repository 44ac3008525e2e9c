using MemVirt.Core.Addresses;

namespace MemVirt.Core.Invalidation;

/// <summary>How much an invalidation covers.</summary>
public enum InvalidationScope : byte
{
    /// <summary>One linear address in one context.</summary>
    Address,

    /// <summary>One linear address in all contexts of one VPID or ASID, global or not.</summary>
    AddressOfVirtualProcessor,

    /// <summary>One context: a VPID or ASID, and a PCID.</summary>
    Context,

    /// <summary>All contexts of one VPID or ASID.</summary>
    VirtualProcessor,

    /// <summary>All contexts of every VPID but 0.</summary>
    VirtualProcessorsButZero,

    /// <summary>All contexts that translate through one second stage, and its guest-physical mappings.</summary>
    SecondStage,

    /// <summary>Everything, the guest-physical mappings of every second stage too.</summary>
    All,
}

/// <summary>
/// What must be forgotten, whichever instruction or edit asked for it. Factories bear the instructions' names. An invalidation may
/// drop more than it names, never less (Intel SDM Vol. 3A §4.10.4.2).
/// </summary>
public readonly record struct TlbInvalidation
{
    private TlbInvalidation(InvalidationScope scope, bool globals) => (Scope, IncludesGlobals) = (scope, globals);

    /// <summary>Everything: INVEPT type 2, TLB_CONTROL 1, a changed second stage.</summary>
    public static TlbInvalidation All => new(InvalidationScope.All, globals: true);

    /// <summary>How much.</summary>
    public InvalidationScope Scope { get; }

    /// <summary>Whether global translations are among what is dropped.</summary>
    public bool IncludesGlobals { get; }

    /// <summary>
    /// Of an address: whether all entries of paging-structure caches of the context go, as with INVLPG, not those of the address alone.
    /// </summary>
    public bool IncludesTablesOfContext { get; private init; }

    /// <summary>VPID or ASID.</summary>
    public ushort VirtualProcessor { get; private init; }

    /// <summary>PCID.</summary>
    public ushort ProcessContext { get; private init; }

    /// <summary>The number of the second stage.</summary>
    public ushort SecondStage { get; private init; }

    /// <summary>The linear address.</summary>
    public GuestVirtualAddress Address { get; private init; }

    /// <summary>One address in one context, whatever the size of its page; global translations of it too.</summary>
    public static TlbInvalidation OfAddress(ushort virtualProcessor, ushort processContext, GuestVirtualAddress address)
        => new(InvalidationScope.Address, globals: true)
        {
            VirtualProcessor = virtualProcessor, ProcessContext = processContext, Address = address,
        };

    /// <summary>One context; global translations stay.</summary>
    public static TlbInvalidation OfContext(ushort virtualProcessor, ushort processContext)
        => new(InvalidationScope.Context, globals: false) { VirtualProcessor = virtualProcessor, ProcessContext = processContext };

    /// <summary>All contexts of a VPID or ASID, global translations included.</summary>
    public static TlbInvalidation OfVirtualProcessor(ushort virtualProcessor)
        => new(InvalidationScope.VirtualProcessor, globals: true) { VirtualProcessor = virtualProcessor };

    /// <summary>
    /// INVLPG (Intel SDM Vol. 3A §4.10.4.1): the address in the current PCID, global translations of it, and all of the PCID's
    /// paging-structure caches.
    /// </summary>
    public static TlbInvalidation Invlpg(ushort virtualProcessor, ushort processContext, GuestVirtualAddress address)
        => OfAddress(virtualProcessor, processContext, address) with { IncludesTablesOfContext = true };

    /// <summary>INVPCID type 0: one address of a PCID; global translations stay.</summary>
    public static TlbInvalidation InvpcidAddress(ushort virtualProcessor, ushort processContext, GuestVirtualAddress address)
        => new(InvalidationScope.Address, globals: false)
        {
            VirtualProcessor = virtualProcessor, ProcessContext = processContext, Address = address,
        };

    /// <summary>INVPCID type 1, and MOV to CR3 of a PCID with bit 63 clear: all of a PCID but global translations.</summary>
    public static TlbInvalidation InvpcidContext(ushort virtualProcessor, ushort processContext)
        => OfContext(virtualProcessor, processContext);

    /// <summary>INVPCID type 2, and changes of CR0.PG, CR4.PGE and CR4.PCIDE: every PCID, global translations too.</summary>
    public static TlbInvalidation InvpcidAll(ushort virtualProcessor) => OfVirtualProcessor(virtualProcessor);

    /// <summary>INVPCID type 3: every PCID; global translations stay.</summary>
    public static TlbInvalidation InvpcidAllButGlobals(ushort virtualProcessor)
        => new(InvalidationScope.VirtualProcessor, globals: false) { VirtualProcessor = virtualProcessor };

    /// <summary>INVVPID type 0 (Intel SDM Vol. 3C §28.4.3.1), INVLPGA: one address of a VPID or ASID, in every PCID, global or not.</summary>
    public static TlbInvalidation InvvpidAddress(ushort virtualProcessor, GuestVirtualAddress address)
        => new(InvalidationScope.AddressOfVirtualProcessor, globals: true) { VirtualProcessor = virtualProcessor, Address = address };

    /// <summary>INVVPID type 1, TLB_CONTROL 3: all of a VPID or ASID.</summary>
    public static TlbInvalidation InvvpidContext(ushort virtualProcessor) => OfVirtualProcessor(virtualProcessor);

    /// <summary>VM entry and VM exit without VPID: all of VPID 0 (Intel SDM Vol. 3C §28.4.3.1).</summary>
    public static TlbInvalidation VmTransitionWithoutVpid() => OfVirtualProcessor(0);

    /// <summary>INVVPID type 2: every VPID but 0, the host's.</summary>
    public static TlbInvalidation InvvpidAll() => new(InvalidationScope.VirtualProcessorsButZero, globals: true);

    /// <summary>INVVPID type 3, TLB_CONTROL 7: all of a VPID or ASID but global translations.</summary>
    public static TlbInvalidation InvvpidContextButGlobals(ushort virtualProcessor) => InvpcidAllButGlobals(virtualProcessor);

    /// <summary>INVEPT type 1: all that was translated through one second stage, and its guest-physical mappings.</summary>
    public static TlbInvalidation InveptContext(ushort secondStage)
        => new(InvalidationScope.SecondStage, globals: true) { SecondStage = secondStage };

    /// <summary>INVEPT type 2: every second stage. TLB_CONTROL 1: everything.</summary>
    public static TlbInvalidation InveptAll() => All;

    /// <summary>INVLPGA (AMD APM Vol. 3): one address of an ASID.</summary>
    public static TlbInvalidation Invlpga(ushort addressSpace, GuestVirtualAddress address) => InvvpidAddress(addressSpace, address);

    /// <summary>
    /// INVLPGB (AMD APM Vol. 3) as one processor receives it: bits of rAX choose whether the address, the PCID and the ASID count, and
    /// whether global translations go too (bits 0 to 3). Where the ASID does not count, everything goes.
    /// </summary>
    public static TlbInvalidation Invlpgb(
        GuestVirtualAddress? address, ushort? processContext, ushort? addressSpace, bool includesGlobals)
        => (address, processContext, addressSpace) switch
        {
            (_, _, null) => All,
            ({ } page, { } process, { } space) => includesGlobals ? OfAddress(space, process, page) : InvpcidAddress(space, process, page),
            (null, { } process, { } space) when !includesGlobals => OfContext(space, process),
            (_, _, { } space) => includesGlobals ? OfVirtualProcessor(space) : InvpcidAllButGlobals(space),
        };

    /// <summary>The VMCB's TLB_CONTROL at VMRUN (AMD APM Vol. 2 §15.16.2); null for 0, which asks for nothing.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is not 0, 1, 3 or 7.</exception>
    public static TlbInvalidation? TlbControl(byte control, ushort addressSpace)
        => control switch
        {
            0 => null,
            1 => All,
            3 => OfVirtualProcessor(addressSpace),
            7 => InvpcidAllButGlobals(addressSpace),
            _ => throw new ArgumentOutOfRangeException(nameof(control), $"TLB_CONTROL {control} is reserved: 0, 1, 3 and 7 are defined."),
        };
}
