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

    /// <summary>Long mode (CPUID 80000001H:EDX[29]); without it EFER.LME is reserved.</summary>
    public bool LongMode { get; init; } = true;

    /// <summary>NX (CPUID 80000001H:EDX[20]); without it EFER.NXE is reserved.</summary>
    public bool NoExecute { get; init; } = true;

    /// <summary>PSE (CPUID 1:EDX[3]); without it CR4.PSE is reserved.</summary>
    public bool PageSizeExtensions { get; init; } = true;

    /// <summary>PAE (CPUID 1:EDX[6]); without it CR4.PAE is reserved.</summary>
    public bool PhysicalAddressExtension { get; init; } = true;

    /// <summary>PGE (CPUID 1:EDX[13]); without it CR4.PGE is reserved.</summary>
    public bool PageGlobal { get; init; } = true;

    /// <summary>Five-level paging (CPUID 7:ECX[16]); without it CR4.LA57 is reserved.</summary>
    public bool LinearAddress57 { get; init; } = true;

    /// <summary>PCID (CPUID 1:ECX[17]); without it CR4.PCIDE is reserved.</summary>
    public bool ProcessContexts { get; init; } = true;

    /// <summary>SMEP (CPUID 7:EBX[7]); without it CR4.SMEP is reserved.</summary>
    public bool SupervisorExecutionPrevention { get; init; } = true;

    /// <summary>SMAP (CPUID 7:EBX[20]); without it CR4.SMAP is reserved.</summary>
    public bool SupervisorAccessPrevention { get; init; } = true;

    /// <summary>PKU (CPUID 7:ECX[3]); without it CR4.PKE is reserved.</summary>
    public bool ProtectionKeysUser { get; init; } = true;

    /// <summary>PKS (CPUID 7:ECX[31]); without it CR4.PKS is reserved and IA32_PKRS is no MSR.</summary>
    public bool ProtectionKeysSupervisor { get; init; } = true;

    /// <summary>CET (CPUID 7:ECX[7] or EDX[20]); without it CR4.CET is reserved.</summary>
    public bool ControlFlowEnforcement { get; init; } = true;

    /// <summary>LAM (CPUID 7.1:EAX[26]); without it CR3 bits 62:61 and CR4.LAM_SUP are reserved.</summary>
    public bool LinearAddressMasking { get; init; } = true;

    /// <summary>
    /// Bits of CR4 that have nothing to do with paging and that this processor knows; a 1 in any other bit is a general
    /// protection fault. As it stands: VME, PVI, TSD, DE, MCE, PCE, OSFXSR, OSXMMEXCPT, UMIP, VMXE, SMXE, FSGSBASE, OSXSAVE, KL
    /// and UINTR.
    /// </summary>
    public ulong OtherCr4Bits { get; init; } = 0x020D_6F4F;

    /// <summary>The same for IA32_EFER: SCE as it stands. AMD processors also have SVME, LMSLE, FFXSR, TCE and others.</summary>
    public ulong OtherEferBits { get; init; } = 1;
}
