namespace MemVirt.Simulation.Tests.Published;

/// <summary>VM exits by reason, under the names of Intel's basic exit reasons (Intel SDM Vol. 3D appendix C).</summary>
internal sealed record ExitCounts
{
    /// <summary>Reason 28: MOV to and from CR3, where the VMM intercepts them.</summary>
    internal long ControlRegister { get; set; }

    /// <summary>Reason 0, of it #PF: <see cref="GuestFaults"/>, <see cref="ShadowFaults"/>, <see cref="TableWrites"/>, <see cref="Unsyncs"/>.</summary>
    internal long PageFault => GuestFaults + ShadowFaults + TableWrites + Unsyncs;

    /// <summary>Page faults that are the guest's own, intercepted and injected.</summary>
    internal long GuestFaults { get; set; }

    /// <summary>Page faults that the VMM answers from the guest's tables: an entry absent in the shadow, or not yet writable there.</summary>
    internal long ShadowFaults { get; set; }

    /// <summary>Stores to protected guest tables that are emulated.</summary>
    internal long TableWrites { get; set; }

    /// <summary>Stores to protected leaf tables that go out of sync.</summary>
    internal long Unsyncs { get; set; }

    /// <summary>Reason 14.</summary>
    internal long Invlpg { get; set; }

    /// <summary>Reason 48.</summary>
    internal long EptViolation { get; set; }

    internal long Total => ControlRegister + PageFault + Invlpg + EptViolation;

    public override string ToString()
        => $"control register {ControlRegister}, #PF {PageFault} (guest's own {GuestFaults}, shadow {ShadowFaults}, table writes {TableWrites}, "
           + $"unsyncs {Unsyncs}), INVLPG {Invlpg}, EPT violations {EptViolation}";

    internal static ExitCounts Difference(ExitCounts after, ExitCounts before) => new()
    {
        ControlRegister = after.ControlRegister - before.ControlRegister,
        GuestFaults = after.GuestFaults - before.GuestFaults,
        ShadowFaults = after.ShadowFaults - before.ShadowFaults,
        TableWrites = after.TableWrites - before.TableWrites,
        Unsyncs = after.Unsyncs - before.Unsyncs,
        Invlpg = after.Invlpg - before.Invlpg,
        EptViolation = after.EptViolation - before.EptViolation,
    };
}
