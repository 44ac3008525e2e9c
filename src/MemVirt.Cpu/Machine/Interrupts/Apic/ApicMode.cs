namespace MemVirt.Cpu.Machine.Interrupts.Apic;

/// <summary>What the EN and EXTD bits of IA32_APIC_BASE make of a local APIC (Intel SDM Vol. 3A §11.12.1, table 11-5).</summary>
public enum ApicMode
{
    /// <summary>Globally disabled: CPUID.01H:EDX.APIC is 0 and no register is there.</summary>
    Disabled,

    /// <summary>Registers in memory.</summary>
    XApic,

    /// <summary>Registers in MSRs 0x800 to 0x8FF, and not in memory.</summary>
    X2Apic,
}
