namespace MemVirt.Native.Probes;

/// <summary>What came of a run of probes.</summary>
public sealed record ProbeSummary
{
    /// <summary>The seed; the same one gives the same probes on a host with the same features.</summary>
    public required long Seed { get; init; }

    /// <summary>Probes compared.</summary>
    public required long Compared { get; init; }

    /// <summary>Probes made and left out because of masks.</summary>
    public required long Masked { get; init; }

    /// <summary>How many ended how in the engine: "succeeded", or the error code of a page fault.</summary>
    public required IReadOnlyDictionary<string, long> Endings { get; init; }

    /// <summary>Probes on which engine and guest disagree.</summary>
    public required long Deviating { get; init; }

    /// <summary>The first of them, made small; <see cref="ProbeVerification.MostDeviations"/> at most.</summary>
    public required IReadOnlyList<ProbeDeviation> Deviations { get; init; }

    /// <summary>How long it took, without shrinking of deviations.</summary>
    public required TimeSpan Elapsed { get; init; }
}
