namespace MemVirt.Simulation.Tests.Published;

/// <summary>What a guest does, whether it exits or not: the same on every machine.</summary>
internal sealed record GuestEvents
{
    /// <summary>System calls, page faults and interrupts that come from user mode.</summary>
    internal long KernelEntries { get; set; }

    /// <summary>#PFs that its kernel handles.</summary>
    internal long PageFaults { get; set; }

    /// <summary>MOV to and from CR3.</summary>
    internal long ControlRegisterAccesses { get; set; }

    /// <summary>INVLPGs.</summary>
    internal long Invlpg { get; set; }

    public override string ToString()
        => $"kernel entries {KernelEntries}, page faults {PageFaults}, accesses of CR3 {ControlRegisterAccesses}, INVLPGs {Invlpg}";
}
