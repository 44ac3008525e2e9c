namespace MemVirt.Oracle;

internal enum WalkEnd
{
    Completed,

    /// <summary>The guest's entry, or in shadow the shadow's, is absent.</summary>
    EntryAbsent,

    /// <summary>Shadow only: a store met a present leaf without W.</summary>
    LeafReadOnly,

    /// <summary>The second stage has nothing for a guest-physical address.</summary>
    Violation,
}

/// <summary>How a hardware walk ended.</summary>
internal readonly record struct WalkResult(WalkEnd End)
{
    /// <summary>What the TLBs are filled with, of a completed walk.</summary>
    public TlbEntry Entry { get; init; }

    /// <summary>Of a violation.</summary>
    public ulong Gpa { get; init; }

    /// <summary>Whether a violation's GPA was the access's own, not a table's.</summary>
    public bool GpaIsTheAccess { get; init; }
}

/// <summary>How translations are made: what the hardware walks, and what guest and VMM do when it faults.</summary>
internal interface IRegime
{
    /// <summary>VPID or ASID.</summary>
    int GuestId { get; }

    void LoadCr3(Process process);

    WalkResult Walk(Process process, ulong va, bool store, WalkReads reads);

    /// <summary>Counts the fault, drops what it drops, and mends its cause.</summary>
    void HandleFault(Process process, ulong va, bool store, WalkResult fault);

    /// <summary>The kinds of event that are exits here, by their names in the machine file.</summary>
    IReadOnlyList<(string Kind, Counter Counter)> Exits { get; }
}
