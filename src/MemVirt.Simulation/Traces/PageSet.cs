namespace MemVirt.Simulation.Traces;

/// <summary>A set of 4 KiB page numbers: a bitmap of 128 MiB of address space for each such region that is touched.</summary>
internal sealed class PageSet
{
    private const int RegionShift = 15;
    private readonly Dictionary<ulong, ulong[]> _regions = [];
    private ulong _lastRegion = ulong.MaxValue;
    private ulong[] _lastBitmap = [];

    /// <summary>Pages in the set.</summary>
    internal long Count { get; private set; }

    /// <summary>Adds a page; harmless where it is in the set.</summary>
    internal void Add(ulong page)
    {
        ulong region = page >> RegionShift;
        if (region != _lastRegion)
        {
            if (!_regions.TryGetValue(region, out ulong[]? bitmap))
            {
                bitmap = new ulong[(1 << RegionShift) / 64];
                _regions.Add(region, bitmap);
            }

            (_lastRegion, _lastBitmap) = (region, bitmap);
        }

        ref ulong word = ref _lastBitmap[(page >> 6) & (((1 << RegionShift) / 64) - 1)];
        ulong bit = 1UL << (int)(page & 63);
        Count += (word & bit) == 0 ? 1 : 0;
        word |= bit;
    }
}
