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
    /// <summary>Reads the aligned 64-bit word at a host-physical address: an entry, or two of 32-bit paging.</summary>
    ulong Read(ulong hostAddress, TableKind kind, int level);

    /// <summary>Replaces the word at a host-physical address where it still holds what is expected, atomically; returns whether it did.</summary>
    bool TryReplace(ulong hostAddress, ulong expected, ulong replacement);
}
