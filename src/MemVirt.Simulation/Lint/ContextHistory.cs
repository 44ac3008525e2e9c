using MemVirt.Core.Addresses;

namespace MemVirt.Simulation.Lint;

/// <summary>One context (VPID or ASID, and PCID): its roots, and when what was flushed of it.</summary>
internal sealed class ContextHistory(ushort virtualProcessor, ushort processContext)
{
    private const int RegionShift = 21;
    private readonly Dictionary<(int Level, ulong Page), long> _pages = [];
    private readonly Dictionary<ulong, long> _faults = [];
    private readonly Dictionary<(int Level, ulong Page), List<long>> _uses = [];
    private readonly List<(long Time, ulong? Region)> _tables = [(0, null)];

    internal ushort VirtualProcessor { get; } = virtualProcessor;

    internal ushort ProcessContext { get; } = processContext;

    /// <summary>CR3's frame over time.</summary>
    internal EntryHistory Root { get; } = new();

    /// <summary>When all of its translations were last dropped, global ones aside.</summary>
    internal long Flushed { get; private set; }

    internal void Flush(long time)
    {
        Flushed = time;
        _tables.Add((time, null));
        _pages.Clear();
        _faults.Clear();
    }

    internal void FlushTables(long time) => _tables.Add((time, null));

    internal void FlushPage(long time, ulong address, bool withItsTables)
    {
        for (int level = 0; level < 3; level++)
        {
            _pages[(level, NumberOf(address, level))] = time;
        }

        if (withItsTables)
        {
            _tables.Add((time, address >> RegionShift));
        }
    }

    /// <summary>
    /// A fault drops the TLB's entries for its page number: of a large page that is held in pieces, the piece alone (§4.10.4.1).
    /// </summary>
    internal void Fault(long time, ulong address)
    {
        _faults[NumberOf(address, 0)] = time;
        _tables.Add((time, address >> RegionShift));
    }

    /// <summary>When the translation of an address by a leaf of a level was last dropped.</summary>
    internal long FlushOf(ulong address, int level)
    {
        long page = _pages.GetValueOrDefault((level, NumberOf(address, level)));
        return Math.Max(Flushed, Math.Max(page, _faults.GetValueOrDefault(NumberOf(address, 0))));
    }

    /// <summary>The last time, no later than the one given, at which paging-structure caches held nothing for an address.</summary>
    internal long TablesFlushedBefore(long time, ulong address)
    {
        int last = _tables.Count - 1;
        while (_tables[last].Time > time || (_tables[last].Region is { } region && region != address >> RegionShift))
        {
            last--;
        }

        return _tables[last].Time;
    }

    /// <summary>Notes a use, unless nothing has changed since the last one of the same entry: then that one stands for both.</summary>
    internal void Use(long time, ulong address, long lastChange)
    {
        for (int level = 0; level <= 4; level++)
        {
            (int, ulong) key = (level, NumberOf(address, level));
            if (!_uses.TryGetValue(key, out List<long>? times))
            {
                _uses.Add(key, times = []);
            }

            if (times.Count == 0 || times[^1] < lastChange)
            {
                times.Add(time);
            }
        }
    }

    /// <summary>When addresses that share an address's entry of a level were accessed.</summary>
    internal IReadOnlyList<long> UsesOf(ulong address, int level) => _uses.GetValueOrDefault((level, NumberOf(address, level))) ?? [];

    private static ulong NumberOf(ulong address, int level) => (address & ((1UL << 57) - 1)) >> (PageSize.Size4K.SizeLog2() + (9 * level));
}
