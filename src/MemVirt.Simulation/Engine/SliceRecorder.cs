using MemVirt.Simulation.Results;

namespace MemVirt.Simulation.Engine;

/// <summary>
/// A regime's counters as they stood every so many references. How long a trace is shows at its end: readings are taken close together,
/// every other one is forgotten whenever they become too many, and slices are cut between those that are left.
/// </summary>
internal sealed class SliceRecorder(Regime regime)
{
    /// <summary>References between two readings at first.</summary>
    internal const int Granule = 256;

    /// <summary>Slices that a trace is cut into.</summary>
    internal const int Slices = 200;

    private const int MostReadings = 1 << 14;
    private readonly List<Reading> _readings = [];
    private long _offered;
    private long _stride = 1;

    /// <summary>Reads the counters; called after every <see cref="Granule"/> references.</summary>
    internal void Read(RegimeSimulation simulation)
    {
        if (++_offered % _stride != 0)
        {
            return;
        }

        _readings.Add(ReadingOf(simulation));
        if (_readings.Count == MostReadings)
        {
            for (int i = 0; i < MostReadings / 2; i++)
            {
                _readings[i] = _readings[(2 * i) + 1];
            }

            _readings.RemoveRange(MostReadings / 2, MostReadings / 2);
            _stride *= 2;
        }
    }

    /// <summary>The end of the warm-up: what was read is forgotten.</summary>
    internal void Clear()
    {
        _readings.Clear();
        (_offered, _stride) = (0, 1);
    }

    /// <summary>The slices, at the end of the run.</summary>
    /// <param name="simulation">The counters' last state.</param>
    /// <param name="readCycles">Cycles of a walk's read where there are no data caches.</param>
    /// <param name="cacheCycles">Cycles of a hit of a walk cache.</param>
    internal IReadOnlyList<TimeSlice> Cut(RegimeSimulation simulation, double readCycles, double cacheCycles)
    {
        Reading last = ReadingOf(simulation);
        if (_readings.Count == 0 || _readings[^1].References < last.References)
        {
            _readings.Add(last);
        }

        var slices = new List<TimeSlice>();
        Reading before = default;
        int count = Math.Min(Slices, _readings.Count);
        for (int slice = 1; slice <= count; slice++)
        {
            Reading reading = _readings[(int)((long)slice * _readings.Count / count) - 1];
            slices.Add(SliceBetween(before, reading, readCycles, cacheCycles));
            before = reading;
        }

        return slices;
    }

    private static TimeSlice SliceBetween(Reading from, Reading to, double readCycles, double cacheCycles) => new(
        from.References,
        to.References - from.References,
        to.L1Misses - from.L1Misses,
        to.L2Misses - from.L2Misses,
        to.Walks - from.Walks,
        (to.ReadCycles ?? to.Reads * readCycles) - (from.ReadCycles ?? from.Reads * readCycles) + ((to.CacheHits - from.CacheHits) * cacheCycles),
        to.GuestPageFaults - from.GuestPageFaults,
        to.Exits - from.Exits);

    private Reading ReadingOf(RegimeSimulation simulation)
    {
        RegimeHardware hardware = simulation.Hardware;
        WalkMeter meter = hardware.Meter;
        long l1Misses = hardware.L1i.Misses + hardware.L1d.Misses;
        return new Reading(
            simulation.References,
            l1Misses,
            hardware.L2?.Misses ?? l1Misses,
            meter.Walks,
            meter.Guest + meter.SecondStage + meter.Shadow + meter.FaultedReferences,
            hardware.DataCaches?.WalkCycles,
            ResultBuilder.Sum(ResultBuilder.CacheHits(hardware)),
            hardware.Events.GuestPageFaults,
            hardware.Events.ExitsOf(regime));
    }

    private readonly record struct Reading(
        long References, long L1Misses, long L2Misses, long Walks, long Reads, double? ReadCycles, long CacheHits, long GuestPageFaults, long Exits);
}
