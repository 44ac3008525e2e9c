namespace MemVirt.Simulation.Machines;

/// <summary>The largest figures a machine file may hold: far beyond any machine, well below what would exhaust memory.</summary>
internal static class MachineLimits
{
    /// <summary>Entries of one structure.</summary>
    public const int Entries = 1 << 20;

    /// <summary>KiB of one data cache.</summary>
    public const int CacheKib = 1 << 20;

    /// <summary>Ways of one data cache.</summary>
    public const int CacheWays = 1 << 10;

    /// <summary>Structures of one TLB level.</summary>
    public const int Structures = 16;

    /// <summary>Cycles of any latency or price.</summary>
    public const double Cycles = 1e9;

    /// <summary>Bytes of a machine file.</summary>
    public const int FileBytes = 1 << 20;

    /// <summary>Bytes of a data-cache line.</summary>
    public const int LineBytes = 64;
}
