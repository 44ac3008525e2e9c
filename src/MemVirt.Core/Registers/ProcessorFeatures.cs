namespace MemVirt.Core.Registers;

/// <summary>Whose manual a processor follows where Intel's and AMD's differ.</summary>
public enum ProcessorVendor : byte
{
    /// <summary>Intel SDM: PML4E and PML5E bit 8 are ignored.</summary>
    Intel,

    /// <summary>AMD APM: PML4E and PML5E bits 8:7 must be zero.</summary>
    Amd,
}

/// <summary>What CPUID says of a processor's paging; the rest is decided by the control registers.</summary>
public sealed record ProcessorFeatures
{
    /// <summary>A processor with everything, 52 bits of physical address, Intel's rules.</summary>
    public static ProcessorFeatures Everything { get; } = new();

    /// <summary>Whose rules.</summary>
    public ProcessorVendor Vendor { get; init; } = ProcessorVendor.Intel;

    /// <summary>MAXPHYADDR: bits of a physical address, 32 to 52 (CPUID 80000008H:EAX[7:0]).</summary>
    public int PhysicalAddressBits { get; init; } = 52;

    /// <summary>1 GiB pages (CPUID 80000001H:EDX[26]); without them PDPTE bit 7 is reserved.</summary>
    public bool Pages1G { get; init; } = true;

    /// <summary>4 MiB pages beyond 4 GiB in 32-bit paging (PSE-36, CPUID 1:EDX[17]).</summary>
    public bool PageSizeExtension36 { get; init; } = true;

    /// <summary>The PAT (CPUID 1:EDX[16]); without it bit 7 of a PTE and bit 12 of a large page's entry are reserved.</summary>
    public bool PageAttributeTable { get; init; } = true;
}
