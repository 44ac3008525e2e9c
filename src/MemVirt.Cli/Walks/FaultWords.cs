using MemVirt.Core.Faults;
using MemVirt.Core.Sources;
using MemVirt.Simulation.Explain;
using MemVirt.Simulation.Results;

namespace MemVirt.Cli.Walks;

/// <summary>
/// Faults as hardware reports them: #PF (Intel SDM Vol. 3A §4.7), EPT violations (Vol. 3C table 27-7) and misconfigurations, nested
/// page faults (AMD APM Vol. 2 §15.25.6).
/// </summary>
internal static class FaultWords
{
    private static readonly (int Bit, string Name, string Clear, string Set)[] ErrorCode =
    [
        (0, "P", "an entry was not present", "the entries were present"),
        (1, "W/R", "a read", "a write"),
        (2, "U/S", "in supervisor mode", "in user mode"),
        (3, "RSVD", "no reserved bit", "a reserved bit was set in an entry"),
        (4, "I/D", "no instruction fetch", "an instruction fetch"),
        (5, "PK", "no protection key", "the protection key forbids it"),
        (6, "SS", "not a shadow-stack access", "a shadow-stack access"),
    ];

    private static readonly (int Bit, string Name, string Clear, string Set)[] ExitQualification =
    [
        (0, "read", "no data read", "a data read"),
        (1, "write", "no data write", "a data write"),
        (2, "fetch", "no fetch", "an instruction fetch"),
        (3, "R", "its entries do not allow reads", "its entries allow reads"),
        (4, "W", "they do not allow writes", "they allow writes"),
        (5, "X", "they do not allow fetches", "they allow fetches"),
        (6, "UX", "mode-based execute control is off", "executable at user-mode addresses"),
        (7, "GLA valid", "no guest-linear address", "the guest-linear address is valid"),
        (8, "final", "met a paging-structure entry of the guest's", "met the linear address's own translation"),
        (9, "user address", "a supervisor-mode linear address", "a user-mode linear address"),
        (10, "writable address", "a read-only linear address", "a writable linear address"),
        (11, "XD address", "an executable linear address", "an execute-disabled linear address"),
        (13, "shadow stack", "not a shadow-stack access", "a shadow-stack access"),
    ];

    private static readonly (int Bit, string Name, string Clear, string Set)[] ExitInfo1 =
    [
        (0, "P", "a nested entry was not present", "the nested entries were present"),
        (1, "RW", "a read", "a write; every access to a guest table is one"),
        (2, "US", "not as a user access", "as a user access, as every nested walk is"),
        (3, "RSV", "no reserved bit", "a reserved bit was set in a nested entry"),
        (4, "ID", "not a code read", "a code read"),
        (6, "SS", "not a shadow-stack access", "a shadow-stack access"),
        (32, "final", "not the final address", "met the guest's final physical address"),
        (33, "table", "not a guest table", "met the walk of the guest's page tables"),
    ];

    /// <summary>The fault a walk ended in; null where it completed.</summary>
    internal static WalkFault? Of(Regime regime, WalkExplanation walk)
    {
        Translation fault = walk.Outcome;
        string linear = Hex(Canonical(walk.Address));
        return fault.Status switch
        {
            TranslationStatus.Ok => null,
            TranslationStatus.GuestNotPresent or TranslationStatus.GuestProtection or TranslationStatus.GuestReservedBit
                => PageFault(fault.FaultCode, linear, DeliveryOf(regime)),
            TranslationStatus.SecondStageMisconfigured when regime == Regime.Ept => new WalkFault(
                "EPT misconfiguration",
                [new WalkFaultField("guest-physical address", Hex(fault.GuestPhysical), [])],
                "VM exit with reason 49; no exit qualification goes with it"),
            _ when regime == Regime.Ept => new WalkFault(
                "EPT violation",
                [
                    new WalkFaultField("exit qualification", Hex(fault.FaultCode), QualificationBits(fault.FaultCode)),
                    new WalkFaultField("guest-linear address", linear, []),
                    new WalkFaultField("guest-physical address", Hex(fault.GuestPhysical), []),
                ],
                "VM exit with reason 48"),
            _ => new WalkFault(
                "nested page fault",
                [
                    new WalkFaultField("EXITINFO1", Hex(fault.FaultCode), Bits(fault.FaultCode, ExitInfo1)),
                    new WalkFaultField("EXITINFO2", Hex(fault.GuestPhysical), []),
                ],
                "#VMEXIT, code 0x400 (VMEXIT_NPF); EXITINFO2 is the guest-physical address"),
        };
    }

    /// <summary>The guest's own fault that a VMM injects under shadow paging.</summary>
    internal static WalkFault Injected(Translation fault, ulong address)
        => PageFault(fault.FaultCode, Hex(Canonical(address)), "the VMM reflects it: it loads CR2 and injects vector 14 at the VM entry");

    internal static string Hex(ulong value) => $"0x{value:x}";

    internal static ulong Canonical(ulong address48) => (ulong)((long)(address48 << 16) >> 16);

    private static WalkFault PageFault(ulong code, string linear, string delivery) => new(
        "#PF",
        [new WalkFaultField("error code", Hex(code), Bits(code, ErrorCode)), new WalkFaultField("CR2", linear, [])],
        delivery);

    private static string DeliveryOf(Regime regime) => regime switch
    {
        Regime.Native => "vector 14, to the operating system's handler",
        Regime.Shadow => "VM exit with reason 0 (exception, vector 14): under shadow paging every #PF is the VMM's first",
        Regime.Ept => "vector 14, to the guest's own handler; no VM exit, unless the exception bitmap asks for one",
        _ => "vector 14, to the guest's own handler; no #VMEXIT, unless the VMCB intercepts it",
    };

    /// <summary>Bits 11:9 say nothing where a table of the guest's was met (bit 8 is 0).</summary>
    private static WalkFaultBit[] QualificationBits(ulong code)
        => [.. Bits(code, ExitQualification).Where(bit => bit.Bit is < 9 or > 11 || (code >> 8 & 1) != 0)];

    private static WalkFaultBit[] Bits(ulong code, (int Bit, string Name, string Clear, string Set)[] bits)
        => [.. bits.Select(bit => (code >> bit.Bit & 1) != 0
            ? new WalkFaultBit(bit.Bit, bit.Name, 1, bit.Set)
            : new WalkFaultBit(bit.Bit, bit.Name, 0, bit.Clear))];
}
