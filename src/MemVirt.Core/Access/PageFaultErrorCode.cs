namespace MemVirt.Core.Access;

/// <summary>The error code that a page fault pushes (Intel SDM Vol. 3A §4.7).</summary>
[Flags]
public enum PageFaultErrorCode : uint
{
    /// <summary>A supervisor read of a page that is not present.</summary>
    None = 0,

    /// <summary>P: the entries were present; the fault is of rights or reserved bits.</summary>
    Present = 1 << 0,

    /// <summary>W/R: the access was a write.</summary>
    Write = 1 << 1,

    /// <summary>U/S: the access was a user-mode access.</summary>
    User = 1 << 2,

    /// <summary>RSVD: a reserved bit was set in an entry; P is set too.</summary>
    ReservedBit = 1 << 3,

    /// <summary>I/D: the access was a fetch; only with CR4.SMEP or EFER.NXE.</summary>
    InstructionFetch = 1 << 4,

    /// <summary>PK: the protection key withholds the access.</summary>
    ProtectionKey = 1 << 5,

    /// <summary>SS: the access was a shadow-stack access.</summary>
    ShadowStack = 1 << 6,
}
