namespace MemVirt.Core.Access;

/// <summary>
/// What may be done with a page, and, of an access, what it needs. An access needs one of <see cref="Read"/>, <see cref="Write"/>
/// and <see cref="Execute"/>, with <see cref="User"/> in user mode.
/// </summary>
[Flags]
public enum AccessRights : byte
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Data may be read.</summary>
    Read = 1,

    /// <summary>Data may be written.</summary>
    Write = 2,

    /// <summary>Instructions may be fetched; in EPT, at supervisor-mode linear addresses where execution depends on the mode.</summary>
    Execute = 4,

    /// <summary>User mode (CPL 3) may do so: the address is a user-mode address.</summary>
    User = 8,

    /// <summary>
    /// A shadow-stack page: read-only and dirty in the leaf, writable in every entry above (Intel SDM Vol. 3A §4.6). Of an access:
    /// it is one of the shadow stack.
    /// </summary>
    ShadowStack = 16,

    /// <summary>
    /// In EPT, instructions may be fetched at user-mode linear addresses (Intel SDM Vol. 3C §28.3.2). Of an access to the second
    /// stage: the linear address is a user-mode address.
    /// </summary>
    UserExecute = 32,

    /// <summary>Only of an access: explicit, in supervisor mode, with EFLAGS.AC set, so that SMAP lets it pass (SDM Vol. 3A §4.6).</summary>
    AlignmentCheck = 64,

    /// <summary>Every right that a page-table entry can give a page of data and code.</summary>
    All = Read | Write | Execute | User,

    /// <summary>What a walk starts with: every entry can only take away.</summary>
    Unrestricted = All | ShadowStack | UserExecute,
}
