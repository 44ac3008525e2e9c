using MemVirt.Core.Tlb;
using MemVirt.Simulation.Machines;

namespace MemVirt.Simulation.Engine;

/// <summary>The data caches of one regime: 64-byte lines by host-physical address, shared by data references and walks.</summary>
internal sealed class DataCaches
{
    private const int LineShift = 6;
    private const int Levels = 3;
    private const ulong ValidTag = 1UL << 63;
    private readonly TagDirectory[] _levels;
    private readonly double[] _latencies;
    private readonly int _walkEntersAt;
    private readonly long[] _walkHits = new long[Levels + 1];
    private readonly long[] _dataHits = new long[Levels + 1];

    internal DataCaches(DataCachesDescription description)
    {
        _levels = [Build(description.L1d), Build(description.L2), Build(description.Llc)];
        _latencies = [description.L1d.Latency, description.L2.Latency, description.Llc.Latency, description.MemoryLatency];
        _walkEntersAt = description.WalkerEntersAt == WalkerEntry.L1d ? 0 : 1;
    }

    /// <summary>Cycles of all walks' reads.</summary>
    internal double WalkCycles => Sum(_walkHits, 0);

    /// <summary>Cycles of data references beyond the first level's latency.</summary>
    internal double DataCyclesBeyondL1 => Sum(_dataHits, _latencies[0]);

    /// <summary>A walk's read; returns the level that served it, for <see cref="LatencyAt"/>.</summary>
    internal int AccessByWalk(ulong hostAddress)
    {
        int level = Access(hostAddress >> LineShift, _walkEntersAt);
        _walkHits[level]++;
        return level;
    }

    /// <summary>Cycles of an access that a level served: 0 to 2, and 3 for memory.</summary>
    internal double LatencyAt(int level) => _latencies[level];

    internal void AccessByData(ulong hostAddress) => _dataHits[Access(hostAddress >> LineShift, 0)]++;

    internal void ResetCounts()
    {
        Array.Clear(_walkHits);
        Array.Clear(_dataHits);
    }

    private static TagDirectory Build(CacheDescription cache)
        => new(new SetGeometry((cache.Kib << 10) >> LineShift, cache.Ways));

    /// <summary>The level that hits; those that were passed are filled on the way; <see cref="Levels"/> for memory.</summary>
    private int Access(ulong line, int entersAt)
    {
        int level = entersAt;
        while (level < Levels && !_levels[level].Access(line | ValidTag, line))
        {
            level++;
        }

        return level;
    }

    private double Sum(long[] hits, double free)
    {
        double cycles = 0;
        for (int level = 0; level <= Levels; level++)
        {
            cycles += hits[level] * (_latencies[level] - free);
        }

        return cycles;
    }
}
