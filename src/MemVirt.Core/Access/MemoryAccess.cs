namespace MemVirt.Core.Access;

/// <summary>What an access does; the value is the right it needs.</summary>
public enum MemoryAccess : byte
{
    /// <summary>A data read.</summary>
    Read = AccessRights.Read,

    /// <summary>A data write.</summary>
    Write = AccessRights.Write,

    /// <summary>An instruction fetch.</summary>
    Fetch = AccessRights.Execute,
}
