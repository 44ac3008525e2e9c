using MemVirt.Core.Addresses;
using MemVirt.Core.Tlb;
using MemVirt.Simulation.Machines;

namespace MemVirt.Simulation.Engine;

/// <summary>
/// One level of TLBs: several structures, each for several page sizes, found by probing every one. An entry's payload is the host
/// page's address with bit 0 set where a store needs no walk (store-ok).
/// </summary>
internal sealed class TlbLevel
{
    internal const ulong StoreOk = 1;
    private readonly Probe[] _probes;
    private readonly Probe?[] _fillFor = new Probe?[3];
    private readonly TagArray[] _arrays;

    /// <summary>A level of structures in which only the given sizes are ever asked to be entered.</summary>
    internal TlbLevel(IReadOnlyList<TlbStructureDescription> structures, params ReadOnlySpan<PageSize> entered)
    {
        var probes = new List<Probe>();
        _arrays = [.. structures.Select(Structures.Build)];
        for (int i = 0; i < _arrays.Length; i++)
        {
            foreach (PageSize size in structures[i].PageSizes)
            {
                probes.Add(new Probe(_arrays[i], size, structures[i].Latency));
            }
        }

        for (int level = 0; level < _fillFor.Length; level++)
        {
            PageSize? held = LargestHeld(structures, PageSizeExtensions.AtLevel(level));
            _fillFor[level] = probes.Find(probe => probe.Size == held);
        }

        // A probe for what is never entered cannot hit, and a miss changes nothing: leave it out.
        var reachable = new HashSet<Probe>();
        foreach (PageSize size in entered)
        {
            if (_fillFor[size.LeafLevel()] is { } probe)
            {
                reachable.Add(probe);
            }
        }

        _probes = [.. probes.Where(reachable.Contains)];
    }

    /// <summary>The only array that a look-up probes, and the size it is probed in; null where there are several, or none.</summary>
    internal TagArray? OnlyArray => _probes.Length == 1 ? _probes[0].Array : null;

    /// <summary>See <see cref="OnlyArray"/>.</summary>
    internal PageSize OnlySize => _probes.Length == 1 ? _probes[0].Size : PageSize.Size4K;

    internal long Lookups { get; set; }

    internal long Misses { get; set; }

    /// <summary>Hits of <see cref="TryFind"/>, each multiplied by its structure's latency.</summary>
    internal double HitCycles => _probes.Sum(probe => probe.Hits * probe.Latency);

    internal long Hits => Lookups - Misses;

    /// <summary>The largest size up to <paramref name="size"/> that some structure holds, or null.</summary>
    internal static PageSize? LargestHeld(IReadOnlyList<TlbStructureDescription> structures, PageSize size)
    {
        PageSize? largest = null;
        foreach (PageSize held in structures.SelectMany(structure => structure.PageSizes))
        {
            if (held <= size && (largest is null || held > largest))
            {
                largest = held;
            }
        }

        return largest;
    }

    /// <summary>Looks an address up. A store that finds an entry without store-ok drops it and misses.</summary>
    internal bool TryFind(ulong address, uint context, bool store, out ulong payload, out PageSize size)
    {
        foreach (Probe probe in _probes)
        {
            ulong number = address >> (int)probe.Size;
            ulong tag = TlbTag.Create(number, probe.Size, context);
            int index = probe.Array.Find(tag, number);
            if (index >= 0)
            {
                payload = probe.Array.Payload(index);
                size = probe.Size;
                if (store && (payload & StoreOk) == 0)
                {
                    probe.Array.Remove(tag, number);
                    return false;
                }

                probe.Hits++;
                return true;
            }
        }

        payload = 0;
        size = PageSize.Size4K;
        return false;
    }

    /// <summary>Which structure has an entry of an address, by its place in the description, and of what size; −1 for none. Changes nothing.</summary>
    internal int Holder(ulong address, uint context, out PageSize? size)
    {
        foreach (Probe probe in _probes)
        {
            ulong number = address >> (int)probe.Size;
            if (probe.Array.Contains(TlbTag.Create(number, probe.Size, context), number))
            {
                size = probe.Size;
                return Array.IndexOf(_arrays, probe.Array);
            }
        }

        size = null;
        return -1;
    }

    /// <summary>Enters the translation of an address, at the walked size or the largest smaller one that the level holds.</summary>
    internal void Fill(ulong address, uint context, ulong hostAddress, PageSize walked, ulong storeOk)
    {
        if (_fillFor[walked.LeafLevel()] is { } probe)
        {
            ulong number = address >> (int)probe.Size;
            ulong page = hostAddress & ~(probe.Size.SizeBytes() - 1);
            probe.Array.Insert(TlbTag.Create(number, probe.Size, context), number, page | storeOk);
        }
    }

    /// <summary>Drops the entries of an address, of every size; false where there was none.</summary>
    internal bool Drop(ulong address, uint context)
    {
        bool dropped = false;
        foreach (Probe probe in _probes)
        {
            ulong number = address >> (int)probe.Size;
            dropped |= probe.Array.Remove(TlbTag.Create(number, probe.Size, context), number);
        }

        return dropped;
    }

    internal void Clear()
    {
        foreach (TagArray array in _arrays)
        {
            array.Clear();
        }
    }

    internal void ResetCounts()
    {
        Lookups = Misses = 0;
        foreach (Probe probe in _probes)
        {
            probe.Hits = 0;
        }
    }

    private sealed class Probe(TagArray array, PageSize size, double latency)
    {
        internal readonly TagArray Array = array;
        internal readonly PageSize Size = size;
        internal readonly double Latency = latency;
        internal long Hits;
    }
}
