namespace MemVirt.Oracle;

/// <summary>What an entry is found by. The size is part of it where one structure holds several page sizes.</summary>
internal readonly record struct EntryKey(ulong Number, int SizeLog2, Tag Tag);

internal enum Replacement
{
    Lru,
    Plru,
    Random,
}

/// <summary>The shape of a TLB structure, a walk cache or a data cache.</summary>
internal sealed record Shape(int Entries, int Ways, bool XorIndex, Replacement Replacement, ulong Seed);

/// <summary>Sets of ways with one of three replacement policies. An entry keeps its way until it goes.</summary>
internal sealed class SetAssociative<TValue>
{
    private readonly Way[][] _sets;
    private readonly Shape _shape;
    private long _clock;
    private ulong _random;

    public SetAssociative(Shape shape)
    {
        if (shape.Ways <= 0 || shape.Entries <= 0 || shape.Entries % shape.Ways != 0)
        {
            throw new ArgumentException($"{shape.Entries} entries are not a multiple of {shape.Ways} ways");
        }

        _shape = shape;
        _random = shape.Seed;
        _sets = new Way[shape.Entries / shape.Ways][];
        for (int i = 0; i < _sets.Length; i++)
        {
            _sets[i] = new Way[shape.Ways];
        }
    }

    /// <summary>A hit makes the entry most recent; a miss changes nothing.</summary>
    public bool TryFind(EntryKey key, out TValue value)
    {
        Way[] set = SetOf(key);
        int way = WayOf(set, key);
        value = way < 0 ? default! : set[way].Value;
        if (way >= 0)
        {
            Touch(set, way);
        }

        return way >= 0;
    }

    /// <summary>A key already there is replaced in place; the entry becomes most recent.</summary>
    public void Fill(EntryKey key, TValue value)
    {
        Way[] set = SetOf(key);
        int way = WayOf(set, key);
        if (way < 0)
        {
            way = Array.FindIndex(set, candidate => !candidate.Filled);
        }

        if (way < 0)
        {
            way = Victim(set);
        }

        set[way].Filled = true;
        set[way].Key = key;
        set[way].Value = value;
        Touch(set, way);
    }

    public void Drop(EntryKey key)
    {
        Way[] set = SetOf(key);
        int way = WayOf(set, key);
        if (way >= 0)
        {
            set[way].Filled = false;
        }
    }

    /// <summary>Empties every way; what the replacement policy remembers (bits, random state) stays.</summary>
    public void Flush()
    {
        foreach (Way[] set in _sets)
        {
            for (int way = 0; way < set.Length; way++)
            {
                set[way].Filled = false;
            }
        }
    }

    private Way[] SetOf(EntryKey key)
    {
        ulong sets = (ulong)_sets.Length;
        ulong number = _shape.XorIndex ? key.Number ^ (key.Number / sets) : key.Number;
        return _sets[number % sets];
    }

    private static int WayOf(Way[] set, EntryKey key)
    {
        for (int way = 0; way < set.Length; way++)
        {
            if (set[way].Filled && set[way].Key == key)
            {
                return way;
            }
        }

        return -1;
    }

    private void Touch(Way[] set, int way)
    {
        set[way].LastUse = ++_clock;
        set[way].RecentBit = true;
        if (_shape.Replacement == Replacement.Plru && Array.TrueForAll(set, other => other.RecentBit))
        {
            for (int other = 0; other < set.Length; other++)
            {
                set[other].RecentBit = other == way;
            }
        }
    }

    /// <summary>Asked only when the set is full.</summary>
    private int Victim(Way[] set) => _shape.Replacement switch
    {
        Replacement.Random => (int)(NextRandom() % (ulong)set.Length),
        Replacement.Plru => Math.Max(0, Array.FindIndex(set, way => !way.RecentBit)), // one way alone is never clear
        _ => LeastRecent(set),
    };

    private static int LeastRecent(Way[] set)
    {
        int least = 0;
        for (int way = 1; way < set.Length; way++)
        {
            if (set[way].LastUse < set[least].LastUse)
            {
                least = way;
            }
        }

        return least;
    }

    /// <summary>splitmix64.</summary>
    private ulong NextRandom()
    {
        _random += 0x9E3779B97F4A7C15;
        ulong z = _random;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    private struct Way
    {
        public bool Filled;
        public bool RecentBit;
        public long LastUse;
        public EntryKey Key;
        public TValue Value;
    }
}
