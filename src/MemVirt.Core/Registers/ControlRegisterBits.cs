namespace MemVirt.Core.Registers;

/// <summary>The bits of CR0 that paging looks at (Intel SDM Vol. 3A §2.5).</summary>
public static class Cr0
{
    /// <summary>PE: protected mode.</summary>
    public const ulong ProtectionEnable = 1UL << 0;

    /// <summary>WP: read-only pages bind supervisor mode too.</summary>
    public const ulong WriteProtect = 1UL << 16;

    /// <summary>NW: not write-through.</summary>
    public const ulong NotWriteThrough = 1UL << 29;

    /// <summary>CD: no caching.</summary>
    public const ulong CacheDisable = 1UL << 30;

    /// <summary>PG: paging.</summary>
    public const ulong Paging = 1UL << 31;
}

/// <summary>The fields of CR3 (Intel SDM Vol. 3A §4.5.2, tables 4-12 and 4-13).</summary>
public static class Cr3
{
    /// <summary>PCID, with CR4.PCIDE.</summary>
    public const ulong ProcessContextMask = 0xFFF;

    /// <summary>LAM_U57: bits 62:57 of user pointers to data are metadata.</summary>
    public const ulong LinearAddressMaskingUser57 = 1UL << 61;

    /// <summary>LAM_U48: bits 62:48 of user pointers to data are metadata.</summary>
    public const ulong LinearAddressMaskingUser48 = 1UL << 62;

    /// <summary>In the operand of MOV to CR3 with CR4.PCIDE: nothing is invalidated. Never part of the register.</summary>
    public const ulong NoInvalidation = 1UL << 63;
}

/// <summary>The bits of CR4 that paging looks at (Intel SDM Vol. 3A §2.5).</summary>
public static class Cr4
{
    /// <summary>PSE: 4 MiB pages in 32-bit paging.</summary>
    public const ulong PageSizeExtensions = 1UL << 4;

    /// <summary>PAE: entries of 64 bits.</summary>
    public const ulong PhysicalAddressExtension = 1UL << 5;

    /// <summary>PGE: global pages.</summary>
    public const ulong PageGlobalEnable = 1UL << 7;

    /// <summary>LA57: five-level paging.</summary>
    public const ulong LinearAddress57 = 1UL << 12;

    /// <summary>PCIDE: process-context identifiers.</summary>
    public const ulong ProcessContextEnable = 1UL << 17;

    /// <summary>SMEP: supervisor mode does not fetch from user pages.</summary>
    public const ulong SupervisorExecutionPrevention = 1UL << 20;

    /// <summary>SMAP: supervisor mode reaches data of user pages only with EFLAGS.AC.</summary>
    public const ulong SupervisorAccessPrevention = 1UL << 21;

    /// <summary>PKE: protection keys of user pages.</summary>
    public const ulong ProtectionKeysUser = 1UL << 22;

    /// <summary>CET: shadow stacks.</summary>
    public const ulong ControlFlowEnforcement = 1UL << 23;

    /// <summary>PKS: protection keys of supervisor pages.</summary>
    public const ulong ProtectionKeysSupervisor = 1UL << 24;

    /// <summary>LAM_SUP: the upper bits of supervisor pointers to data are metadata.</summary>
    public const ulong LinearAddressMaskingSupervisor = 1UL << 28;
}

/// <summary>The bits of IA32_EFER that paging looks at (Intel SDM Vol. 3A §2.2.1).</summary>
public static class Efer
{
    /// <summary>LME: long mode once paging is on.</summary>
    public const ulong LongModeEnable = 1UL << 8;

    /// <summary>LMA: long mode is on.</summary>
    public const ulong LongModeActive = 1UL << 10;

    /// <summary>NXE: bit 63 of an entry forbids fetches.</summary>
    public const ulong NoExecuteEnable = 1UL << 11;
}
