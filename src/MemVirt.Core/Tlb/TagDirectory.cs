using System.Runtime.CompilerServices;

namespace MemVirt.Core.Tlb;

/// <summary>
/// A set-associative array of 64-bit tags without payloads, least recently used replaced: a data cache, as far as hits and misses go.
/// A <see cref="TagArray"/> whose every access that misses also inserts. No call allocates.
/// </summary>
public sealed unsafe class TagDirectory
{
    private readonly SetGeometry _geometry;
    private readonly ulong[] _storage;
    private readonly ulong* _tags;

    /// <summary>An empty directory.</summary>
    public TagDirectory(SetGeometry geometry)
    {
        _geometry = geometry;
        int words = geometry.Entries + Recency.SlackWords;
        _storage = GC.AllocateArray<ulong>(words + 8, pinned: true);
        _tags = (ulong*)(((nuint)Unsafe.AsPointer(ref _storage[0]) + 63) & ~(nuint)63);

        // Written at once: a page that is read before it is written costs two faults, and the other processors an interrupt.
        new Span<ulong>(_tags, words).Clear();
    }

    /// <summary>Sets and ways.</summary>
    public SetGeometry Geometry => _geometry;

    /// <summary>Makes a tag the most recent of the set of <paramref name="number"/>; true where it was there already.</summary>
    /// <param name="tag">The tag; not 0.</param>
    /// <param name="number">The number, below 2^63, that the set follows from.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every reference with data caches: bench SimulationBenchmarks
    public bool Access(ulong tag, ulong number)
    {
        ulong* set = _tags + _geometry.FirstWay(number);
        return set[0] == tag || AccessBeyondFirst(set, tag);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool AccessBeyondFirst(ulong* set, ulong tag)
    {
        int ways = _geometry.Ways;
        int way = BestTagSearch.FindPadded(set, ways, tag);
        Recency.MoveToFront(set, way < 0 ? ways - 1 : way, ways, tag);
        return way >= 0;
    }
}
