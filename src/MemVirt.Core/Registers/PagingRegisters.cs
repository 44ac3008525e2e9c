namespace MemVirt.Core.Registers;

/// <summary>The registers that decide how an access is translated and whether it is allowed (Intel SDM Vol. 3A §4.1, §4.6).</summary>
public record struct PagingRegisters
{
    /// <summary>CR0; see <see cref="Registers.Cr0"/>.</summary>
    public ulong Cr0 { get; set; }

    /// <summary>CR3 as MOV from CR3 reads it.</summary>
    public ulong Cr3 { get; set; }

    /// <summary>CR4; see <see cref="Registers.Cr4"/>.</summary>
    public ulong Cr4 { get; set; }

    /// <summary>IA32_EFER; see <see cref="Registers.Efer"/>.</summary>
    public ulong Efer { get; set; }

    /// <summary>PKRU: bits 2i and 2i+1 are access-disable and write-disable of user key i.</summary>
    public uint Pkru { get; set; }

    /// <summary>IA32_PKRS: the same for supervisor keys.</summary>
    public uint Pkrs { get; set; }

    /// <summary>CPL, 0 to 3; 3 is user mode.</summary>
    public byte CurrentPrivilegeLevel { get; set; }

    /// <summary>EFLAGS.AC: lets explicit supervisor accesses past SMAP.</summary>
    public bool AlignmentCheck { get; set; }

    /// <summary>The paging mode (Intel SDM Vol. 3A table 4-1).</summary>
    public readonly PagingMode Mode => (Cr0 & Registers.Cr0.Paging) == 0 ? PagingMode.None
        : (Cr4 & Registers.Cr4.PhysicalAddressExtension) == 0 ? PagingMode.Bits32
        : (Efer & Registers.Efer.LongModeEnable) == 0 ? PagingMode.Pae
        : (Cr4 & Registers.Cr4.LinearAddress57) == 0 ? PagingMode.FourLevel
        : PagingMode.FiveLevel;
}
