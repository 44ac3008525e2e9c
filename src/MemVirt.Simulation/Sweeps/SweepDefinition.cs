namespace MemVirt.Simulation.Sweeps;

/// <summary>
/// What a sweep covers: every trace on every machine with every second-level TLB and pair of page sizes. Two sweeps of equal definitions
/// have equal results; parts of one sweep are known by it.
/// </summary>
public sealed record SweepDefinition
{
    /// <summary>The traces, a guest each.</summary>
    public required IReadOnlyList<SweepTrace> Traces { get; init; }

    /// <summary>The machines.</summary>
    public required IReadOnlyList<SweepMachine> Machines { get; init; }

    /// <summary>Entries of the second-level TLB; 0 for as many as the machine has. See <see cref="SecondLevelTlb"/>.</summary>
    public required IReadOnlyList<int> L2TlbEntries { get; init; }

    /// <summary>Page sizes of the guest's operating system, by name.</summary>
    public required IReadOnlyList<string> GuestPages { get; init; }

    /// <summary>Page sizes of the VMM, by name.</summary>
    public required IReadOnlyList<string> HostPages { get; init; }

    /// <summary>Regimes, by name.</summary>
    public required IReadOnlyList<string> Regimes { get; init; }

    /// <summary>References to take of each trace; null for all.</summary>
    public long? References { get; init; }

    /// <summary>References of each trace after which counting starts.</summary>
    public long Warmup { get; init; }

    /// <summary>Points in all.</summary>
    public int Points => Traces.Count * PointsOfTrace;

    internal int PointsOfTrace => Machines.Count * L2TlbEntries.Count * GuestPages.Count * HostPages.Count;

    /// <summary>Whether another covers the same: compared element by element.</summary>
    public bool Equals(SweepDefinition? other)
        => other is not null
           && Traces.SequenceEqual(other.Traces) && Machines.SequenceEqual(other.Machines)
           && L2TlbEntries.SequenceEqual(other.L2TlbEntries)
           && GuestPages.SequenceEqual(other.GuestPages) && HostPages.SequenceEqual(other.HostPages)
           && Regimes.SequenceEqual(other.Regimes) && References == other.References && Warmup == other.Warmup;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Points, References, Warmup);
}

/// <summary>A trace, and by what it is told from another of the same name.</summary>
/// <param name="Path">Its path as given.</param>
/// <param name="Bytes">Its file's length.</param>
public sealed record SweepTrace(string Path, long Bytes);

/// <summary>A machine, and by what it is told from another of the same name.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Fingerprint">A hash of all that its file says.</param>
public sealed record SweepMachine(string Name, string Fingerprint);
