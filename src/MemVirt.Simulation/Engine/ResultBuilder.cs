using System.Diagnostics;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;

namespace MemVirt.Simulation.Engine;

/// <summary>Turns a finished simulation's counters into a result, and prices it.</summary>
internal static class ResultBuilder
{
    internal static RegimeResult Build(Regime regime, MachineDescription machine, RegimeSimulation simulation, double? nativeCycles)
    {
        RegimeHardware hardware = simulation.Hardware;
        WalkMeter meter = hardware.Meter;
        EventCounts events = hardware.Events.ToCounts(regime);
        WalkCacheHitCounts cacheHits = CacheHits(hardware);
        long total = meter.Guest + meter.SecondStage + meter.Shadow;
        double seconds = (double)simulation.Ticks / Stopwatch.Frequency;
        return new RegimeResult(
            RegimeNames.Of(regime),
            simulation.References,
            simulation.References + simulation.Crossings,
            new TlbCounts(Counts(hardware.L1i), Counts(hardware.L1d), Counts(hardware.L2)),
            meter.Walks,
            new WalkReferenceCounts(
                meter.Guest, meter.SecondStage, meter.Shadow, total, meter.Walks == 0 ? 0 : (double)total / meter.Walks),
            new FaultedWalkCounts(meter.FaultedWalks, meter.FaultedReferences),
            cacheHits,
            events,
            Price(regime, machine, simulation, total + meter.FaultedReferences, Sum(cacheHits), events, nativeCycles),
            new SimulationCost(seconds, seconds > 0 ? simulation.Simulated / seconds : 0, simulation.AllocatedBytes));
    }

    /// <summary>What was counted of a regime besides; null where nothing was.</summary>
    internal static RegimeDetails? Details(Regime regime, MachineDescription machine, RegimeSimulation simulation)
        => simulation.Hardware is { Slices: { } slices, Meter.Grid: { } grid }
            ? new RegimeDetails(
                RegimeNames.Of(regime),
                grid.Cells(),
                slices.Cut(simulation, machine.WalkReferenceCycles, machine.WalkCaches?.Latency ?? 0))
            : null;

    private static HitMissCounts Counts(TlbLevel? level) => level is null ? new HitMissCounts(0, 0) : new HitMissCounts(level.Hits, level.Misses);

    internal static WalkCacheHitCounts CacheHits(RegimeHardware hardware) => new(
        hardware.WalkCaches?.HitsAt(3) ?? 0,
        hardware.WalkCaches?.HitsAt(2) ?? 0,
        hardware.WalkCaches?.HitsAt(1) ?? 0,
        hardware.NestedTlb?.Hits ?? 0,
        hardware.NestedCaches?.HitsAt(3) ?? 0,
        hardware.NestedCaches?.HitsAt(2) ?? 0,
        hardware.NestedCaches?.HitsAt(1) ?? 0);

    internal static long Sum(WalkCacheHitCounts hits)
        => hits.Pml4e + hits.Pdpte + hits.Pde + hits.NestedTlb + hits.NestedPml4e + hits.NestedPdpte + hits.NestedPde;

    private static CycleCounts Price(
        Regime regime, MachineDescription machine, RegimeSimulation simulation, long walkReads, long walkCacheHits, EventCounts events,
        double? native)
    {
        CostDescription costs = machine.Costs;
        RegimeHardware hardware = simulation.Hardware;
        double dataLatency = hardware.DataCaches?.DataCyclesBeyondL1 ?? 0;
        double readLatency = hardware.DataCaches?.WalkCycles ?? walkReads * machine.WalkReferenceCycles;
        double @base = (simulation.Fetches * costs.BaseCpi) + (dataLatency * (1 - costs.Overlap));
        double tlb = hardware.L2?.HitCycles ?? 0;
        double walk = readLatency + (walkCacheHits * (machine.WalkCaches?.Latency ?? 0));
        double faults = (events.GuestPageFaults * costs.GuestFaultCycles) + (events.ContextSwitches * costs.ContextSwitchCycles);
        double exits = (events.Exits * costs.ExitCycles) + Handlers(regime, events, costs.HandlerCycles);
        double total = @base + tlb + walk + faults + exits;
        double? overhead = native is null ? null : native == 0 ? 0 : (total / native) - 1;
        return new CycleCounts(
            @base, tlb, walk, faults, exits, total,
            simulation.References == 0 ? 0 : total / simulation.References, overhead);
    }

    /// <summary>What events cost in software: faults, context switches, exits and their handlers.</summary>
    internal static double SoftwareCycles(Regime regime, EventCounts events, CostDescription costs)
        => (events.GuestPageFaults * costs.GuestFaultCycles) + (events.ContextSwitches * costs.ContextSwitchCycles)
           + (events.Exits * costs.ExitCycles) + Handlers(regime, events, costs.HandlerCycles);

    /// <summary>The VMM's handlers. Guest page faults and context switches are exits under shadow paging only.</summary>
    private static double Handlers(Regime regime, EventCounts events, HandlerCycles cycles) => regime switch
    {
        Regime.Native => 0,
        Regime.Shadow => (events.GuestPageFaults * cycles.GuestPageFaults)
                         + (events.ShadowFaults * cycles.ShadowFaults)
                         + (events.DirtyFaults * cycles.DirtyFaults)
                         + (events.ProtectedTableWrites * cycles.ProtectedTableWrites)
                         + (events.Unsyncs * cycles.Unsyncs)
                         + (events.ContextSwitches * cycles.ContextSwitches),
        _ => events.SecondStageFaults * cycles.SecondStageFaults,
    };
}
