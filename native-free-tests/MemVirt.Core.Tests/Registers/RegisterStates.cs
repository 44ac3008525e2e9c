using MemVirt.Core.Registers;

namespace MemVirt.Core.Tests.Registers;

/// <summary>States of the registers that tests start from.</summary>
internal static class RegisterStates
{
    internal const ulong Cr0Plain = Cr0.ProtectionEnable | Cr0.WriteProtect | (1UL << 4);

    /// <summary>Four-level paging, nothing optional.</summary>
    internal static PagingRegisters LongMode => new()
    {
        Cr0 = Cr0Plain | Cr0.Paging,
        Cr3 = 0x1000,
        Cr4 = Cr4.PhysicalAddressExtension,
        Efer = Efer.LongModeEnable | Efer.LongModeActive,
    };

    /// <summary>Long mode with CR4.PCIDE, PCID 5.</summary>
    internal static PagingRegisters WithContexts => LongMode with
    {
        Cr3 = 0x1005, Cr4 = Cr4.PhysicalAddressExtension | Cr4.ProcessContextEnable,
    };

    /// <summary>Five-level paging.</summary>
    internal static PagingRegisters FiveLevel => LongMode with { Cr4 = Cr4.PhysicalAddressExtension | Cr4.LinearAddress57 };

    /// <summary>PAE paging.</summary>
    internal static PagingRegisters Pae => Bits32 with { Cr4 = Cr4.PhysicalAddressExtension };

    /// <summary>32-bit paging.</summary>
    internal static PagingRegisters Bits32 => new() { Cr0 = Cr0Plain | Cr0.Paging, Cr3 = 0x1000 };

    /// <summary>Protected mode, paging off.</summary>
    internal static PagingRegisters Unpaged => new() { Cr0 = Cr0Plain };

    internal static PagingRegisters Named(string name) => name switch
    {
        "long" => LongMode,
        "contexts" => WithContexts,
        "five" => FiveLevel,
        "pae" => Pae,
        "32" => Bits32,
        "off" => Unpaged,
        _ => throw new ArgumentOutOfRangeException(nameof(name), name),
    };
}
