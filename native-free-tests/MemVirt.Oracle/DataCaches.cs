namespace MemVirt.Oracle;

/// <summary>Data caches by host-physical address, shared by data references and walks.</summary>
internal sealed class DataCaches
{
    private readonly List<(CacheDescription Description, SetAssociative<bool> Lines)> _levels = [];
    private readonly double _memoryLatency;
    private readonly bool _walkerEntersAtL2;

    public DataCaches(MachineDescription machine)
    {
        foreach (CacheDescription level in machine.Caches!)
        {
            _levels.Add((level, new SetAssociative<bool>(level.Shape)));
        }

        L1Latency = machine.Caches.FirstOrDefault(level => level.Name == "l1d")?.Latency ?? 0;
        _memoryLatency = machine.MemoryLatency;
        _walkerEntersAtL2 = machine.WalkerEntersAtL2;
    }

    /// <summary>What a data access costs that <c>base</c> already covers; zero without an L1D.</summary>
    public double L1Latency { get; }

    public double ReadForData(ulong hpa) => Read(hpa, skipL1: false);

    public double ReadForWalk(ulong hpa) => Read(hpa, _walkerEntersAtL2);

    /// <summary>The latency of the level that has the line; every level probed that missed is filled.</summary>
    private double Read(ulong hpa, bool skipL1)
    {
        EntryKey line = new(hpa / 64, 6, default);
        foreach ((CacheDescription level, SetAssociative<bool> lines) in _levels)
        {
            if (skipL1 && level.Name == "l1d")
            {
                continue;
            }

            if (lines.TryFind(line, out _))
            {
                return level.Latency;
            }

            lines.Fill(line, true);
        }

        return _memoryLatency;
    }
}
