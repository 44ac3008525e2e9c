namespace MemVirt.Core.Formats;

/// <summary>
/// What decides the meaning of EPT entries: the processor's capabilities (IA32_VMX_EPT_VPID_CAP), the EPT pointer's bit 6 and the
/// VM-execution controls (Intel SDM Vol. 3C §24.6.11, §28.3).
/// </summary>
public sealed record EptSettings
{
    /// <summary>Accessed and dirty flags in use, execute-only pages, 52 bits, every page size; the other controls off.</summary>
    public static EptSettings Default { get; } = new();

    /// <summary>MAXPHYADDR, 32 to 52.</summary>
    public int PhysicalAddressBits { get; init; } = 52;

    /// <summary>EPTP bit 6: accessed and dirty flags for EPT; with them, accesses to guest tables count as writes.</summary>
    public bool AccessedAndDirty { get; init; } = true;

    /// <summary>Whether execute-only translations are supported; else they are misconfigurations.</summary>
    public bool ExecuteOnlyPages { get; init; } = true;

    /// <summary>"Mode-based execute control for EPT": bit 2 for supervisor-mode linear addresses, bit 10 for user-mode ones.</summary>
    public bool ModeBasedExecute { get; init; }

    /// <summary>2 MiB pages are supported.</summary>
    public bool Pages2M { get; init; } = true;

    /// <summary>1 GiB pages are supported.</summary>
    public bool Pages1G { get; init; } = true;

    /// <summary>Exit qualification bits 11:9 describe the linear address (advanced VM-exit information for EPT violations).</summary>
    public bool AdvancedExitInformation { get; init; } = true;

    /// <summary>"Sub-page write permissions for EPT": 128-byte write rights in 4 KiB pages (Intel SDM Vol. 3C §28.3.4).</summary>
    public bool SubPageWrite { get; init; }

    /// <summary>The sub-page-permission-table pointer: the host-physical address of the root table.</summary>
    public ulong SubPageTableRoot { get; init; }
}
