namespace MemVirt.Core.Shadow;

/// <summary>What a shadow leaf is written for: it decides whether a page that holds leaf tables may be writable in it.</summary>
internal enum LeafCause
{
    /// <summary>An access faulted on it.</summary>
    Fault,

    /// <summary>
    /// A supervisor's store faulted on it that CR0.WP = 0 lets through to a read-only page: the leaf is writable, and the supervisor's
    /// alone, until user mode faults on it (as KVM's is).
    /// </summary>
    SupervisorStore,

    /// <summary>An access faulted on a neighbour.</summary>
    Prefetch,

    /// <summary>Its table is put in sync with the guest's.</summary>
    Synchronisation,
}
