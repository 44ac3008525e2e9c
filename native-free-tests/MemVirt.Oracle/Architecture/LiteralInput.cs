namespace MemVirt.Oracle.Architecture;

/// <summary>What an access does.</summary>
public enum LiteralAccess
{
    Read,
    Write,
    Fetch,
}

/// <summary>What guest-physical addresses go through.</summary>
public enum LiteralStage
{
    None,
    Ept,
    Npt,
}

/// <summary>The registers, the processor and one access.</summary>
public record struct LiteralInput
{
    public ulong Cr0 { get; set; }
    public ulong Cr3 { get; set; }
    public ulong Cr4 { get; set; }
    public ulong Efer { get; set; }
    public uint Pkru { get; set; }
    public uint Pkrs { get; set; }
    public int Cpl { get; set; }
    public bool Ac { get; set; }
    public ulong Pdpte0 { get; set; }
    public ulong Pdpte1 { get; set; }
    public ulong Pdpte2 { get; set; }
    public ulong Pdpte3 { get; set; }
    public bool Amd { get; set; }
    public int MaxPhysical { get; set; }
    public bool Pages1G { get; set; }
    public bool Pse36 { get; set; }
    public LiteralAccess Access { get; set; }
    public bool ShadowStack { get; set; }
    public bool ImplicitSupervisor { get; set; }
    public ulong Linear { get; set; }
}

/// <summary>The second stage and its controls.</summary>
public record struct LiteralStageInput
{
    public LiteralStage Kind { get; set; }
    public ulong Root { get; set; }
    public int Levels { get; set; }
    public int MaxPhysical { get; set; }
    public bool Pages1G { get; set; }
    public bool EptAccessedDirty { get; set; }
    public bool EptExecuteOnly { get; set; }
    public bool EptModeBased { get; set; }
    public bool NptNoExecute { get; set; }
    public bool NptGmet { get; set; }
    public bool PmlOn { get; set; }
    public ushort PmlIndex { get; set; }
}

/// <summary>How an access ended.</summary>
public enum LiteralKind
{
    Ok,
    NonCanonical,
    PageFault,
    EptViolation,
    EptMisconfiguration,
    PmlFull,
    NestedPageFault,
}

/// <summary>All that hardware tells of it.</summary>
public record struct LiteralOutcome
{
    public LiteralKind Kind { get; set; }

    /// <summary>Page-fault error code, exit qualification or EXITINFO1.</summary>
    public ulong Code { get; set; }

    /// <summary>The guest-physical address of the access, or of a second-stage fault.</summary>
    public ulong GuestPhysical { get; set; }
    public ulong HostPhysical { get; set; }
    public bool TableAccess { get; set; }
    public bool Convertible { get; set; }

    /// <summary>Base-2 logarithm of the smaller page.</summary>
    public int PageShift { get; set; }
    public bool Readable { get; set; }
    public bool Writable { get; set; }

    /// <summary>Whether the mode of the access may fetch from the page, SMEP aside.</summary>
    public bool Executable { get; set; }
    public bool User { get; set; }
    public bool Global { get; set; }
    public int Key { get; set; }
}
