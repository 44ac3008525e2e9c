namespace MemVirt.Core.Access;

/// <summary>What may be done with a page.</summary>
[Flags]
public enum AccessRights : byte
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Data may be read.</summary>
    Read = 1,

    /// <summary>Data may be written.</summary>
    Write = 2,

    /// <summary>Instructions may be fetched.</summary>
    Execute = 4,

    /// <summary>User mode (CPL 3) may do so.</summary>
    User = 8,

    /// <summary>Every right.</summary>
    All = Read | Write | Execute | User,
}
