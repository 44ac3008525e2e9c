namespace MemVirt.Core.Shadow;

/// <summary>What a shadow leaf is written for: it decides whether a page that holds leaf tables may be writable in it.</summary>
internal enum LeafCause
{
    /// <summary>An access faulted on it.</summary>
    Fault,

    /// <summary>An access faulted on a neighbour.</summary>
    Prefetch,

    /// <summary>Its table is put in sync with the guest's.</summary>
    Synchronisation,
}
