using System.Runtime.CompilerServices;

namespace MemVirt.Core.Tlb;

/// <summary>
/// A set-associative array of 64-bit tags with 64-bit payloads in a parallel array. No call allocates.
/// Under least-recently-used replacement a set is kept in order of recency, most recent first, empty ways last: a hit on the
/// first way changes nothing, and the victim is always the last. The other policies keep entries where they are.
/// </summary>
public sealed unsafe class TagArray
{
    private readonly SetGeometry _geometry;
    private readonly Replacement _replacement;
    private readonly bool _byRecency;
    private readonly ulong[] _storage;
    private readonly ulong* _tags;
    private readonly ulong* _payloads;
    private readonly ulong[] _usedBits;
    private ulong _random;

    /// <summary>An empty array.</summary>
    /// <param name="geometry">Sets and ways.</param>
    /// <param name="replacement">How a victim is chosen.</param>
    /// <param name="seed">The seed of <see cref="Replacement.Random"/>.</param>
    public TagArray(SetGeometry geometry, Replacement replacement = Replacement.LeastRecentlyUsed, ulong seed = 1)
    {
        _geometry = geometry;
        _replacement = replacement;
        _byRecency = replacement == Replacement.LeastRecentlyUsed;
        _random = seed;
        int wordsPerSet = (geometry.Ways + 63) / 64;
        _usedBits = replacement == Replacement.BitPseudoLru ? new ulong[geometry.Sets * wordsPerSet] : [];

        // Both arrays in one pinned block, each starting on a cache line, with room for vectors that reach past the last set.
        int padded = ((geometry.Entries + 7) & ~7) + Recency.SlackWords;
        _storage = GC.AllocateArray<ulong>((2 * padded) + 8, pinned: true);
        _tags = (ulong*)(((nuint)Unsafe.AsPointer(ref _storage[0]) + 63) & ~(nuint)63);
        _payloads = _tags + padded;
    }

    /// <summary>Sets and ways.</summary>
    public SetGeometry Geometry => _geometry;

    /// <summary>Entries in use.</summary>
    public int Count { get; private set; }

    /// <summary>The payload at an index that <see cref="Find"/> returned, until the next call that changes the array.</summary>
    public ref ulong Payload(int index) => ref _payloads[index];

    /// <summary>The tag at an index below <see cref="SetGeometry.Entries"/>; 0 where the way is empty.</summary>
    public ulong Tag(int index) => _tags[index];

    /// <summary>
    /// Looks a tag up in the set of <paramref name="number"/> and makes it most recent: an index for <see cref="Payload"/>, or −1.
    /// A look-up that misses changes nothing.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every look-up: bench TlbBenchmarks
    public int Find(ulong tag, ulong number)
    {
        int first = _geometry.FirstWay(number);
        return _tags[first] == tag && _byRecency ? first : FindBeyondFirst(tag, first);
    }

    /// <summary>
    /// Whether a tag is the most recent of its set under least-recently-used replacement: then to find it would change nothing. False
    /// says nothing, and under other policies it always is.
    /// </summary>
    /// <param name="tag">The tag.</param>
    /// <param name="number">The page number that its set follows from.</param>
    /// <param name="payload">The payload, where it is.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every reference of a simulation: bench SimulationBenchmarks
    public bool IsMostRecent(ulong tag, ulong number, out ulong payload)
    {
        int first = _geometry.FirstWay(number);
        payload = _payloads[first];
        return _tags[first] == tag && _byRecency;
    }

    /// <summary>Whether a tag is present; changes nothing.</summary>
    public bool Contains(ulong tag, ulong number)
        => BestTagSearch.FindPadded(_tags + _geometry.FirstWay(number), _geometry.Ways, tag) >= 0;

    /// <summary>Enters a tag as most recent, in place of its old entry if it has one, else of the set's victim.</summary>
    /// <returns>The tag that was evicted, or 0.</returns>
    public ulong Insert(ulong tag, ulong number, ulong payload)
    {
        int first = _geometry.FirstWay(number);
        int way = BestTagSearch.FindPadded(_tags + first, _geometry.Ways, tag);
        ulong evicted = TlbTag.Empty;
        if (way < 0)
        {
            way = Victim(first);
            evicted = _tags[first + way];
            Count += evicted == TlbTag.Empty ? 1 : 0;
        }

        if (_byRecency)
        {
            MoveToFront(first, way, tag, payload);
            return evicted;
        }

        _tags[first + way] = tag;
        _payloads[first + way] = payload;
        NoteUse(first, way);
        return evicted;
    }

    /// <summary>Removes a tag; false where it was absent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every invalidation of an address: bench InvalidationBenchmarks
    public bool Remove(ulong tag, ulong number)
    {
        int first = _geometry.FirstWay(number);
        int way = BestTagSearch.FindPadded(_tags + first, _geometry.Ways, tag);
        if (way < 0)
        {
            return false;
        }

        RemoveAt(first, way);
        return true;
    }

    /// <summary>Removes every entry of the set of a number whose tag, masked, equals <paramref name="value"/>, which is not 0; returns how many.</summary>
    public int RemoveFromSet(ulong number, ulong mask, ulong value)
    {
        int first = _geometry.FirstWay(number);
        int before = Count;
        ulong* tags = _tags + first;
        for (int way = _geometry.Ways - 1; way >= 0; way--)
        {
            if ((tags[way] & mask) == value)
            {
                RemoveAt(first, way);
            }
        }

        return before - Count;
    }

    /// <summary>Removes every entry whose tag, masked, equals <paramref name="value"/>. Cost: one pass over the array.</summary>
    public void RemoveWhere(ulong mask, ulong value)
    {
        for (int first = 0; first < _geometry.Entries; first += _geometry.Ways)
        {
            for (int way = _geometry.Ways - 1; way >= 0; way--)
            {
                if (_tags[first + way] != TlbTag.Empty && (_tags[first + way] & mask) == value)
                {
                    RemoveAt(first, way);
                }
            }
        }
    }

    /// <summary>Removes every entry; like any removal, it leaves the policy's own state as it is.</summary>
    public void Clear()
    {
        if (Count != 0)
        {
            new Span<ulong>(_tags, _geometry.Entries).Clear();
            Count = 0;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int FindBeyondFirst(ulong tag, int first)
    {
        int way = BestTagSearch.FindPadded(_tags + first, _geometry.Ways, tag);
        if (way < 0)
        {
            return -1;
        }

        if (_byRecency)
        {
            MoveToFront(first, way, tag, _payloads[first + way]);
            return first;
        }

        NoteUse(first, way);
        return first + way;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)] // its two callers are hot: bench TlbBenchmarks
    private void MoveToFront(int first, int way, ulong tag, ulong payload)
    {
        Recency.MoveToFront(_tags + first, way, _geometry.Ways, tag);
        Recency.MoveToFront(_payloads + first, way, _geometry.Ways, payload);
    }

    /// <summary>A use of an entry that stays where it is.</summary>
    private void NoteUse(int first, int way)
    {
        if (_replacement == Replacement.BitPseudoLru)
        {
            SetUsed(first, way);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void RemoveAt(int first, int way)
    {
        int last = way;
        if (_byRecency)
        {
            // Close the gap, so that empty ways stay last.
            for (last = _geometry.Ways - 1; way < last; way++)
            {
                _tags[first + way] = _tags[first + way + 1];
                _payloads[first + way] = _payloads[first + way + 1];
            }
        }

        _tags[first + last] = TlbTag.Empty;
        Count--;
    }

    private int Victim(int first)
    {
        if (_byRecency)
        {
            return _geometry.Ways - 1;
        }

        int empty = BestTagSearch.FindPadded(_tags + first, _geometry.Ways, TlbTag.Empty);
        return empty >= 0 ? empty
            : _replacement == Replacement.Random ? (int)(NextRandom() % (ulong)_geometry.Ways)
            : LowestUnused(first) % _geometry.Ways;
    }

    private Span<ulong> UsedWords(int first)
    {
        int words = (_geometry.Ways + 63) / 64;
        return _usedBits.AsSpan(first / _geometry.Ways * words, words);
    }

    private void SetUsed(int first, int way)
    {
        Span<ulong> words = UsedWords(first);
        words[way >> 6] |= 1UL << way;
        if (LowestUnused(first) == _geometry.Ways)
        {
            words.Clear();
            words[way >> 6] |= 1UL << way;
        }
    }

    /// <summary>The lowest way whose bit is clear; the number of ways where none is, which only a set of one way leaves so.</summary>
    private int LowestUnused(int first)
    {
        Span<ulong> words = UsedWords(first);
        for (int word = 0; word < words.Length; word++)
        {
            if (words[word] != ulong.MaxValue)
            {
                return Math.Min((word << 6) + System.Numerics.BitOperations.TrailingZeroCount(~words[word]), _geometry.Ways);
            }
        }

        return _geometry.Ways;
    }

    private ulong NextRandom()
    {
        ulong z = _random += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
