using MemVirt.Simulation.Results;

namespace MemVirt.Simulation.Engine;

/// <summary>Software events of one regime since the warm-up.</summary>
internal sealed class EventCounters
{
    internal long GuestPageFaults { get; set; }

    internal long PageTableWrites { get; set; }

    internal long ContextSwitches { get; set; }

    internal long SecondStageFaults { get; set; }

    internal long ShadowFaults { get; set; }

    internal long DirtyFaults { get; set; }

    internal long ProtectedTableWrites { get; set; }

    internal long Unsyncs { get; set; }

    internal long ShadowZaps { get; set; }

    /// <summary>Flushes of every TLB that handled faults asked for, the warm-up included.</summary>
    internal long Flushes { get; set; }

    /// <summary>Exits of a running guest that are none of the above, by <see cref="Live.ExitReason"/>.</summary>
    internal long[] OtherExits { get; } = new long[(int)Live.ExitReason.DeviceMemory + 1];

    internal void Reset()
    {
        Array.Clear(OtherExits);
        GuestPageFaults = PageTableWrites = ContextSwitches = SecondStageFaults = 0;
        ShadowFaults = DirtyFaults = ProtectedTableWrites = Unsyncs = ShadowZaps = 0;
    }

    /// <summary>The events of a regime, with the exits they cost it.</summary>
    internal EventCounts ToCounts(Regime regime) => new(
        GuestPageFaults, PageTableWrites, ContextSwitches, SecondStageFaults, ShadowFaults, DirtyFaults,
        ProtectedTableWrites, Unsyncs, ShadowZaps, ExitsOf(regime));

    /// <summary>The exits that the events so far cost a regime.</summary>
    internal long ExitsOf(Regime regime) => regime switch
    {
        Regime.Native => 0,
        Regime.Shadow => GuestPageFaults + ShadowFaults + DirtyFaults + ProtectedTableWrites + Unsyncs + ContextSwitches + OtherExits.Sum(),
        _ => SecondStageFaults + OtherExits.Sum(),
    };
}
