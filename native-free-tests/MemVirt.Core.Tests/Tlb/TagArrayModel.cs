using MemVirt.Core.Tlb;

namespace MemVirt.Core.Tests.Tlb;

/// <summary>The naive model of a TagArray: a list of lists, nothing clever.</summary>
internal sealed class TagArrayModel
{
    private readonly Entry?[][] _sets;
    private readonly List<int>[] _recency;
    private readonly HashSet<int>[] _used;
    private readonly bool _xor;
    private readonly Replacement _replacement;
    private readonly SplitMix _random;

    internal TagArrayModel(int sets, int ways, bool xor, Replacement replacement, ulong seed)
    {
        _sets = [.. Enumerable.Range(0, sets).Select(_ => new Entry?[ways])];
        _recency = [.. Enumerable.Range(0, sets).Select(_ => new List<int>())];
        _used = [.. Enumerable.Range(0, sets).Select(_ => new HashSet<int>())];
        (_xor, _replacement, _random) = (xor, replacement, new SplitMix(seed));
    }

    internal int Count => _sets.Sum(set => set.Count(entry => entry is not null));

    internal ulong? Find(ulong tag, ulong number)
    {
        int set = SetOf(number);
        int way = WayOf(set, tag);
        if (way < 0)
        {
            return null;
        }

        Touch(set, way);
        return _sets[set][way]!.Payload;
    }

    internal bool Contains(ulong tag, ulong number) => WayOf(SetOf(number), tag) >= 0;

    internal ulong Insert(ulong tag, ulong number, ulong payload)
    {
        int set = SetOf(number);
        int way = WayOf(set, tag);
        ulong evicted = 0;
        if (way < 0)
        {
            way = Array.IndexOf(_sets[set], null);
            if (way < 0)
            {
                way = Victim(set);
                evicted = _sets[set][way]!.Tag;
            }
        }

        _sets[set][way] = new Entry(tag, payload);
        Touch(set, way);
        return evicted;
    }

    internal bool Remove(ulong tag, ulong number)
    {
        int set = SetOf(number);
        int way = WayOf(set, tag);
        if (way >= 0)
        {
            RemoveAt(set, way);
        }

        return way >= 0;
    }

    internal void RemoveWhere(ulong mask, ulong value)
    {
        for (int set = 0; set < _sets.Length; set++)
        {
            for (int way = 0; way < _sets[set].Length; way++)
            {
                if (_sets[set][way] is { } entry && (entry.Tag & mask) == value)
                {
                    RemoveAt(set, way);
                }
            }
        }
    }

    internal void Clear()
    {
        // Like any removal, it leaves the use bits as they are.
        for (int set = 0; set < _sets.Length; set++)
        {
            Array.Clear(_sets[set]);
            _recency[set].Clear();
        }
    }

    private int SetOf(ulong number)
        => (int)(_xor ? (number % (ulong)_sets.Length) ^ (number / (ulong)_sets.Length % (ulong)_sets.Length) : number % (ulong)_sets.Length);

    private int WayOf(int set, ulong tag) => Array.FindIndex(_sets[set], entry => entry?.Tag == tag);

    private void RemoveAt(int set, int way)
    {
        _sets[set][way] = null;
        _recency[set].Remove(way);
    }

    private void Touch(int set, int way)
    {
        _recency[set].Remove(way);
        _recency[set].Insert(0, way);
        _used[set].Add(way);
        if (_used[set].Count == _sets[set].Length)
        {
            _used[set].Clear();
            _used[set].Add(way);
        }
    }

    private int Victim(int set) => _replacement switch
    {
        Replacement.LeastRecentlyUsed => _recency[set][^1],
        Replacement.Random => (int)(_random.Next() % (ulong)_sets[set].Length),
        _ => Enumerable.Range(0, _sets[set].Length).FirstOrDefault(way => !_used[set].Contains(way)),
    };

    private sealed record Entry(ulong Tag, ulong Payload);
}
