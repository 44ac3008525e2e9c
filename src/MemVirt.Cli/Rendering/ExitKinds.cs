using MemVirt.Simulation.Results;

namespace MemVirt.Cli.Rendering;

/// <summary>One kind of VM exit, and how often a regime had it.</summary>
internal sealed record ExitKind(string Label, Func<RegimeResult, long> Of);

/// <summary>The kinds of VM exit, by regime: what is an exit under shadow paging is none under EPT.</summary>
internal static class ExitKinds
{
    private static readonly ExitKind[] All =
    [
        new("second-stage faults", regime => regime.Events.SecondStageFaults),
        new("guest page faults", regime => Shadow(regime, regime.Events.GuestPageFaults)),
        new("shadow faults", regime => regime.Events.ShadowFaults),
        new("dirty faults", regime => regime.Events.DirtyFaults),
        new("table writes", regime => regime.Events.ProtectedTableWrites),
        new("unsyncs", regime => regime.Events.Unsyncs),
        new("CR3 loads", regime => Shadow(regime, regime.Events.ContextSwitches)),
        new("other CR access", regime => Reason(regime, "controlRegister") - Shadow(regime, regime.Events.ContextSwitches, "controlRegister")),
        new("INVLPG", regime => Reason(regime, "invlpg")),
        new("I/O", regime => Reason(regime, "io")),
        new("HLT", regime => Reason(regime, "hlt")),
        new("CPUID", regime => Reason(regime, "cpuid")),
        new("interrupts", regime => Reason(regime, "interrupt")),
        new("MSR", regime => Reason(regime, "msr")),
        new("device memory", regime => Reason(regime, "deviceMemory")),
    ];

    /// <summary>The kinds that some regime had.</summary>
    public static IEnumerable<ExitKind> Seen(IReadOnlyList<RegimeResult> regimes)
        => All.Where(kind => regimes.Any(regime => kind.Of(regime) > 0));

    /// <summary>The kind a regime had most often.</summary>
    public static ExitKind MostFrequent(RegimeResult regime) => All.MaxBy(kind => kind.Of(regime))!;

    private static long Reason(RegimeResult regime, string reason)
        => regime.ExitReasons is { } reasons && reasons.TryGetValue(reason, out long count) ? count : 0;

    /// <summary>A count that is part of a reason's, where the regime counts by reason.</summary>
    private static long Shadow(RegimeResult regime, long count, string reason)
        => regime.ExitReasons?.ContainsKey(reason) == true ? Shadow(regime, count) : 0;

    private static long Shadow(RegimeResult regime, long count) => regime.Regime == "shadow" ? count : 0;
}
