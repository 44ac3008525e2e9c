namespace MemVirt.Simulation.Traces;

/// <summary>
/// A growing set of 4 KiB page numbers: a hash table of words of 64 neighbouring pages, so that a dense footprint takes a few
/// bits a page and a sparse one some 40 bytes. In front stands a small table of pages known to be held.
/// </summary>
public sealed class PageSet
{
    private const int RecentPages = 1024;
    private const int PageShift = 12;
    private const int FirstWordsLog2 = 10;
    private const ulong HashFactor = 0x9E3779B97F4A7C15;
    private const ulong NoKey = ulong.MaxValue;

    private readonly ulong[] _recent = new ulong[RecentPages];
    private ulong[] _keys = [];
    private ulong[] _words = [];
    private int _wordsLog2 = FirstWordsLog2;
    private int _usedWords;

    /// <summary>An empty set.</summary>
    public PageSet()
    {
        Array.Fill(_recent, NoKey);
        Allocate();
    }

    /// <summary>Pages held.</summary>
    public long Count { get; private set; }

    /// <summary>Adds a page number, of 36 bits at most; one already held changes nothing.</summary>
    public void Add(ulong page)
    {
        if (_recent[page & (RecentPages - 1)] != page)
        {
            AddSlow(page);
        }
    }

    /// <summary>Adds the pages of addresses, whose bits above 47 don't matter; fast where they are mostly recent ones.</summary>
    public void AddPagesOf(ReadOnlySpan<ulong> addresses)
    {
        // A span of constant length: neither it nor its bounds are looked up again for each address.
        ReadOnlySpan<ulong> recent = _recent.AsSpan(0, RecentPages);
        foreach (ulong address in addresses)
        {
            ulong page = (address & MemoryReference.AddressMask) >> PageShift;
            if (recent[(int)page & (RecentPages - 1)] != page)
            {
                AddSlow(page);
            }
        }
    }

    /// <summary>Whether the page was added.</summary>
    public bool Contains(ulong page)
    {
        int slot = SlotOf(page >> 6);
        return _keys[slot] != NoKey && (_words[slot] & (1UL << (int)(page & 63))) != 0;
    }

    private void AddSlow(ulong page)
    {
        _recent[page & (RecentPages - 1)] = page;
        int slot = SlotOf(page >> 6);
        if (_keys[slot] == NoKey)
        {
            if (_usedWords * 2 >= _keys.Length)
            {
                Grow();
                slot = SlotOf(page >> 6);
            }

            _keys[slot] = page >> 6;
            _usedWords++;
        }

        ulong bit = 1UL << (int)(page & 63);
        Count += (_words[slot] & bit) == 0 ? 1 : 0;
        _words[slot] |= bit;
    }

    /// <summary>Where the key is, or the free slot where it belongs.</summary>
    private int SlotOf(ulong key)
    {
        int slot = (int)((key * HashFactor) >> (64 - _wordsLog2));
        while (_keys[slot] != key && _keys[slot] != NoKey)
        {
            slot = (slot + 1) & (_keys.Length - 1);
        }

        return slot;
    }

    private void Grow()
    {
        ulong[] keys = _keys;
        ulong[] words = _words;
        _wordsLog2++;
        Allocate();
        for (int i = 0; i < keys.Length; i++)
        {
            if (keys[i] != NoKey)
            {
                int slot = SlotOf(keys[i]);
                _keys[slot] = keys[i];
                _words[slot] = words[i];
            }
        }
    }

    private void Allocate()
    {
        _keys = new ulong[1 << _wordsLog2];
        _words = new ulong[1 << _wordsLog2];
        Array.Fill(_keys, NoKey);
    }
}
