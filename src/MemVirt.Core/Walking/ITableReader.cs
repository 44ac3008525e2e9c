namespace MemVirt.Core.Walking;

/// <summary>Whose table an entry is read from.</summary>
public enum TableKind
{
    /// <summary>A guest's table (or a native system's).</summary>
    Guest,

    /// <summary>An EPT or NPT table.</summary>
    SecondStage,

    /// <summary>A shadow table.</summary>
    Shadow,
}

/// <summary>How a walk reads entries of memory, once it knows where they lie. An implementation may count, log or price reads.</summary>
public interface ITableReader
{
    /// <summary>Reads the 64-bit entry at a host-physical address.</summary>
    ulong Read(ulong hostAddress, TableKind kind, int level);

    /// <summary>Sets bits of the entry at a host-physical address, atomically.</summary>
    void SetBits(ulong hostAddress, ulong bits);
}
