using MemVirt.Core.Addresses;

namespace MemVirt.Core.Shadow;

/// <summary>
/// For each host page, the shadow leaves that map it (KVM's rmap): one word a page and leaf level, which is the entry's address where
/// there is one leaf, else the first of a chain. Costs 17 to 20 bytes a page that is mapped, however pages are spread, and 16 more for
/// each leaf of one mapped oftener.
/// </summary>
internal sealed class ReverseMap
{
    private const ulong SingleBit = 1;
    private const int Levels = 3;
    private readonly CompactMap[] _byLevel = [new(), new(), new()];
    private Link[] _links = new Link[64];
    private int _used = 1;
    private int _free;

    /// <summary>Bytes in use.</summary>
    internal long Bytes => _byLevel.Sum(map => map.Bytes) + (_links.Length * 16L);

    /// <summary>Records that a leaf of a level maps the host page at an address.</summary>
    internal void Add(int level, ulong hostPage, ulong entryAddress)
    {
        CompactMap heads = _byLevel[level];
        ulong page = NumberOf(hostPage, level);
        int at = heads.Find(page);
        ulong head = heads.WordAt(at);
        if (head == 0)
        {
            heads.SetAt(at, page, Single(entryAddress));
            return;
        }

        if ((head & SingleBit) != 0)
        {
            head = (ulong)Chain(EntryOf(head), 0) << 1;
        }

        heads.SetAt(at, page, (ulong)Chain(entryAddress, (int)(head >> 1)) << 1);
    }

    /// <summary>Records that a leaf maps the page no longer.</summary>
    internal void Remove(int level, ulong hostPage, ulong entryAddress)
    {
        CompactMap heads = _byLevel[level];
        ulong page = NumberOf(hostPage, level);
        int at = heads.Find(page);
        ulong head = heads.WordAt(at);
        if ((head & SingleBit) != 0)
        {
            heads.RemoveAt(at);
            return;
        }

        int first = (int)(head >> 1);
        ref int next = ref first;
        while (_links[next].EntryAddress != entryAddress)
        {
            next = ref _links[next].Next;
        }

        int gone = next;
        next = _links[gone].Next;
        _links[gone].Next = _free;
        _free = gone;
        if (first == 0)
        {
            heads.RemoveAt(at);
        }
        else
        {
            heads.SetAt(at, page, (ulong)first << 1);
        }
    }

    /// <summary>The first leaf that maps the page at an address, or 0; see <see cref="Next"/>.</summary>
    internal ulong First(int level, ulong hostPage, out int position)
    {
        CompactMap heads = _byLevel[level];
        if (heads.Count == 0)
        {
            position = 0;
            return 0;
        }

        ulong head = heads[NumberOf(hostPage, level)];
        position = (head & SingleBit) != 0 ? 0 : (int)(head >> 1);
        return (head & SingleBit) != 0 ? EntryOf(head) : position == 0 ? 0 : _links[position].EntryAddress;
    }

    /// <summary>The leaf after the one at a position, or 0.</summary>
    internal ulong Next(ref int position)
    {
        position = position == 0 ? 0 : _links[position].Next;
        return position == 0 ? 0 : _links[position].EntryAddress;
    }

    private static ulong NumberOf(ulong hostPage, int level)
    {
        System.Diagnostics.Debug.Assert(level < Levels, "A leaf stands at level 0, 1 or 2.");
        return hostPage >> PageSizeExtensions.AtLevel(level).SizeLog2();
    }

    /// <summary>The word of a single leaf: its entry's address, a multiple of 8, moved down to make room.</summary>
    private static ulong Single(ulong entryAddress) => (entryAddress >> 2) | SingleBit;

    private static ulong EntryOf(ulong head) => (head & ~SingleBit) << 2;

    private int Chain(ulong entryAddress, int next)
    {
        int link = _free;
        if (link != 0)
        {
            _free = _links[link].Next;
        }
        else
        {
            if (_used == _links.Length)
            {
                Array.Resize(ref _links, _used * 2);
            }

            link = _used++;
        }

        _links[link] = new Link { EntryAddress = entryAddress, Next = next };
        return link;
    }

    private struct Link
    {
        internal ulong EntryAddress;
        internal int Next;
    }
}
