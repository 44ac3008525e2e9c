namespace MemVirt.Oracle;

/// <summary>One run of the model: one machine, one regime.</summary>
public sealed record OracleOptions
{
    /// <summary>The machine file's text.</summary>
    public required string MachineJson { get; init; }

    /// <summary>native, shadow, ept or npt.</summary>
    public required string Regime { get; init; }

    /// <summary>The guest's page size: 4k, 2m or 1g.</summary>
    public string GuestPages { get; init; } = "4k";

    /// <summary>The host's page size: 4k, 2m or 1g.</summary>
    public string HostPages { get; init; } = "4k";

    /// <summary>References a process runs before the next one's turn.</summary>
    public long Quantum { get; init; } = 100_000;

    /// <summary>References to run, over all processes and from the first one; null runs all.</summary>
    public long? References { get; init; }

    /// <summary>References, from the first one, whose counts are thrown away.</summary>
    public long Warmup { get; init; }
}
