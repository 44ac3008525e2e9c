using System.Runtime.CompilerServices;
using MemVirt.Core.Addresses;
using MemVirt.Core.Memory;

namespace MemVirt.Core.Shadow;

/// <summary>
/// All shadow pages of a guest: found by role, by guest frame or by table, in the order of their making, each with the shadow
/// entries that refer to it.
/// </summary>
/// <param name="host">Host memory.</param>
/// <param name="hostFrames">Where tables come from.</param>
/// <param name="reusesTables">Whether the tables of removed pages serve new ones; else each table has a frame of its own for ever.</param>
internal sealed class ShadowPageSet(SparseMemory host, FrameAllocator hostFrames, bool reusesTables)
{
    private const int None = -1;
    private readonly FrameIndex _byGuestFrame = new();
    private readonly FrameIndex _byTable = new();
    private readonly Stack<int> _free = [];
    private readonly Stack<int> _freeLinks = [];
    private readonly Stack<ulong> _freeTables = [];
    private ShadowPage[] _pages = new ShadowPage[64];
    private ParentLink[] _links = new ParentLink[64];
    private int _pageCount;
    private int _linkCount;
    private int _newest = None;
    private long _searches;

    internal int Count { get; private set; }

    /// <summary>Bytes that the set takes beside the tables.</summary>
    internal long IndexBytes
        => ((long)_pages.Length * Unsafe.SizeOf<ShadowPage>()) + ((long)_links.Length * Unsafe.SizeOf<ParentLink>())
           + _byGuestFrame.Bytes + _byTable.Bytes;

    /// <summary>The page made longest ago, or −1.</summary>
    internal int Oldest { get; private set; } = None;

    internal ref ShadowPage this[int index] => ref _pages[index];

    internal bool TryFind(in ShadowRole role, out int index)
    {
        index = _byGuestFrame.First(FrameOf(role.GuestAddress));
        while (index >= 0 && _pages[index].Role != role)
        {
            index = _byGuestFrame.Next(index);
        }

        return index >= 0;
    }

    /// <summary>The first page that shadows the guest table in a frame, whatever its level and rights, or −1.</summary>
    internal int FirstOfTable(ulong gpa) => SkipDirect(_byGuestFrame.First(FrameOf(gpa)));

    /// <summary>The next page that shadows the same guest table, or −1.</summary>
    internal int NextOfTable(int index) => SkipDirect(_byGuestFrame.Next(index));

    /// <summary>The page whose shadow table lies at a host-physical address.</summary>
    internal int OfTable(ulong table) => _byTable.First(FrameOf(table));

    /// <summary>Makes the page of a role that has none; it is empty.</summary>
    internal int Create(in ShadowRole role, ulong guestRoot)
    {
        int index = _free.TryPop(out int free) ? free : Take(ref _pages, ref _pageCount);
        ulong table = TakeTable();
        _pages[index] = new ShadowPage
        {
            Role = role, Table = table, GuestRoot = guestRoot, FirstParent = None, Older = _newest, Newer = None,
        };
        _byGuestFrame.Add(FrameOf(role.GuestAddress), index);
        _byTable.Add(FrameOf(table), index);
        Follow(_newest, index);
        _newest = index;
        Count++;
        return index;
    }

    /// <summary>Records that a shadow entry refers to a page.</summary>
    internal void AddParent(int index, ulong entryAddress)
    {
        int link = _freeLinks.TryPop(out int free) ? free : Take(ref _links, ref _linkCount);
        _links[link] = new ParentLink(entryAddress, _pages[index].FirstParent);
        _pages[index].FirstParent = link;
    }

    /// <summary>Forgets that a shadow entry refers to a page.</summary>
    internal void RemoveParent(int index, ulong entryAddress)
    {
        ref int next = ref _pages[index].FirstParent;
        while (next >= 0)
        {
            if (_links[next].EntryAddress == entryAddress)
            {
                _freeLinks.Push(next);
                next = _links[next].Next;
                return;
            }

            next = ref _links[next].Next;
        }
    }

    /// <summary>Removes a page that is empty by now: clears the entries that refer to it. What it referred to stays.</summary>
    internal void Remove(int index)
    {
        ShadowPage page = _pages[index];
        for (int link = page.FirstParent; link >= 0; link = _links[link].Next)
        {
            host.Write(_links[link].EntryAddress, 0);
            _freeLinks.Push(link);
        }

        Follow(page.Older, page.Newer);
        if (page.Newer == None)
        {
            _newest = page.Older;
        }
        else
        {
            _pages[page.Newer].Older = page.Older;
        }

        _byGuestFrame.Remove(index);
        _byTable.Remove(index);
        _free.Push(index);
        Count--;
        if (reusesTables)
        {
            _freeTables.Push(page.Table);
        }
    }

    /// <summary>Begins to ask which pages hang below one; until links change, each page is looked at once.</summary>
    internal void BeginSearch() => _searches++;

    /// <summary>Whether a page is another, or is linked below it; the same other since <see cref="BeginSearch"/>.</summary>
    internal bool HangsBelow(int index, int top)
    {
        ref ShadowPage page = ref _pages[index];
        if (page.Search == _searches)
        {
            return page.SearchFound;
        }

        bool found = index == top;
        for (int link = page.FirstParent; link >= 0 && !found; link = _links[link].Next)
        {
            found = HangsBelow(OfTable(_links[link].EntryAddress), top);
        }

        (page.Search, page.SearchFound) = (_searches, found);
        return found;
    }

    private static ulong FrameOf(ulong address) => address >> PageSize.Size4K.SizeLog2();

    /// <summary>The next of a growing array's items; it grows by a quarter, as what is set aside counts (<see cref="IndexBytes"/>).</summary>
    private static int Take<T>(ref T[] items, ref int count)
    {
        if (count == items.Length)
        {
            Array.Resize(ref items, count + (count / 4));
        }

        return count++;
    }

    private int SkipDirect(int index)
    {
        while (index >= 0 && _pages[index].Role.Direct)
        {
            index = _byGuestFrame.Next(index);
        }

        return index;
    }

    private void Follow(int older, int newer)
    {
        if (older == None)
        {
            Oldest = newer;
        }
        else
        {
            _pages[older].Newer = newer;
        }
    }

    private ulong TakeTable() => _freeTables.TryPop(out ulong table) ? table : hostFrames.Allocate(PageSize.Size4K);

    private struct ParentLink(ulong entryAddress, int next)
    {
        internal readonly ulong EntryAddress = entryAddress;
        internal int Next = next;
    }
}
