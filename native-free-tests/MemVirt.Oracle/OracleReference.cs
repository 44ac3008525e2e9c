namespace MemVirt.Oracle;

/// <summary>What a reference does.</summary>
public enum OracleKind
{
    Fetch,
    Load,
    Store,
}

/// <summary>One load, store or instruction fetch of <paramref name="Size"/> bytes at a canonical guest-virtual address.</summary>
public readonly record struct OracleReference(OracleKind Kind, ulong Address, int Size);
