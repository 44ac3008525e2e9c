using System.Runtime.CompilerServices;
using MemVirt.Core.Addresses;
using MemVirt.Core.Memory;

namespace MemVirt.Core.Shadow;

/// <summary>
/// All shadow pages of a guest: found by role, by guest frame or by table, in the order of their making, each with the shadow
/// entries that refer to it. Memory: 49 to 56 bytes a page, and 12 for each entry that refers to one of several parents.
/// </summary>
/// <param name="host">Host memory.</param>
/// <param name="hostFrames">Where tables come from.</param>
/// <param name="reusesTables">Whether the tables of removed pages serve new ones; else each table has a frame of its own for ever.</param>
internal sealed class ShadowPageSet(SparseMemory host, FrameAllocator hostFrames, bool reusesTables)
{
    private const int None = -1;
    private const uint LastSearch = uint.MaxValue >> 1;
    private readonly FrameIndex _byGuestFrame = new();
    private readonly TableIndex _byTable = new();
    private readonly ParentLinks _parents = new();
    private ShadowPage[] _pages = new ShadowPage[64];
    private int _used;
    private int _free = None;
    private int _newest = None;
    private uint _searches;

    internal int Count { get; private set; }

    /// <summary>Bytes that the set takes beside the tables.</summary>
    internal long IndexBytes
        => ((long)_pages.Length * Unsafe.SizeOf<ShadowPage>()) + _parents.Bytes + _byGuestFrame.Bytes + _byTable.Bytes;

    /// <summary>The page made longest ago, or −1.</summary>
    internal int Oldest { get; private set; } = None;

    internal ref ShadowPage this[int index] => ref _pages[index];

    internal bool TryFind(ShadowRole role, out int index)
    {
        index = _byGuestFrame.FirstOfBucket(role.GuestFrame);
        while (index >= 0 && _pages[index].Role != role)
        {
            index = _pages[index].NextOfBucket;
        }

        return index >= 0;
    }

    /// <summary>The first page that shadows the guest table in a frame, whatever its level and rights, or −1.</summary>
    internal int FirstOfTable(ulong gpa) => SkipDirect(_byGuestFrame.First(_pages, ShadowRole.FrameOf(gpa)));

    /// <summary>The next page that shadows the same guest table, or −1.</summary>
    internal int NextOfTable(int index) => SkipDirect(FrameIndex.Next(_pages, index));

    /// <summary>The page whose shadow table lies at a host-physical address.</summary>
    internal int OfTable(ulong table) => _byTable.Find(_pages, ShadowRole.FrameOf(table));

    /// <summary>Makes the page of a role that has none; it is empty.</summary>
    internal int Create(ShadowRole role, ulong guestRoot)
    {
        int index = _free;
        bool isNew = index == None;
        if (isNew)
        {
            index = Take();
        }
        else
        {
            _free = _pages[index].Newer;
        }

        // Tables that are reused stay with their indices.
        bool hasTable = !isNew && reusesTables;
        ulong table = hasTable ? _pages[index].Table : hostFrames.Allocate(PageSize.Size4K);
        _pages[index] = new ShadowPage(role, table, guestRoot) { Older = _newest, Newer = None };
        _byGuestFrame.Add(_pages, index);
        if (!hasTable)
        {
            _byTable.Add(_pages, index);
        }

        Follow(_newest, index);
        _newest = index;
        Count++;
        return index;
    }

    /// <summary>Records that an entry of a page's table refers to another page.</summary>
    internal void AddParent(int index, int parent, ulong entryOffset) => _parents.Add(ref _pages[index], Entry(parent, entryOffset));

    /// <summary>Forgets that an entry of a page's table refers to another page, which it does.</summary>
    internal void RemoveParent(int index, int parent, ulong entryOffset) => _parents.Remove(ref _pages[index], Entry(parent, entryOffset));

    /// <summary>Removes a page that is empty by now: clears the entries that refer to it. What it referred to stays.</summary>
    internal void Remove(int index)
    {
        ref ShadowPage page = ref _pages[index];
        for (ParentEntry entry = _parents.First(in page, out int position); entry.Page >= 0; entry = _parents.Next(ref position))
        {
            host.Write(_pages[entry.Page].Table + ((ulong)entry.Slot * 8), 0);
        }

        _parents.Clear(ref page);
        Follow(page.Older, page.Newer);
        if (page.Newer == None)
        {
            _newest = page.Older;
        }
        else
        {
            _pages[page.Newer].Older = page.Older;
        }

        _byGuestFrame.Remove(_pages, index);
        if (!reusesTables)
        {
            _byTable.Remove(_pages, index);
        }

        (page.Newer, _free) = (_free, index);
        Count--;
    }

    /// <summary>Begins to ask which pages hang below one; until links change, each page is looked at once.</summary>
    internal void BeginSearch()
    {
        if (_searches == LastSearch)
        {
            _searches = 0;
            foreach (ref ShadowPage page in _pages.AsSpan())
            {
                page.Search = 0;
            }
        }

        _searches++;
    }

    /// <summary>Whether a page is another, or is linked below it; the same other since <see cref="BeginSearch"/>.</summary>
    internal bool HangsBelow(int index, int top)
    {
        ref ShadowPage page = ref _pages[index];
        if (page.Search >> 1 == _searches)
        {
            return (page.Search & 1) != 0;
        }

        bool found = index == top;
        ParentEntry entry = _parents.First(in page, out int position);
        for (; entry.Page >= 0 && !found; entry = _parents.Next(ref position))
        {
            found = HangsBelow(entry.Page, top);
        }

        page.Search = (_searches << 1) | (found ? 1u : 0);
        return found;
    }

    private static ParentEntry Entry(int parent, ulong entryOffset) => new(parent, (ushort)(entryOffset / 8));

    /// <summary>The next index; room grows by a sixteenth, as what is set aside counts (<see cref="IndexBytes"/>).</summary>
    private int Take()
    {
        if (_used == _pages.Length)
        {
            Array.Resize(ref _pages, _used + (_used / 16));
        }

        return _used++;
    }

    private int SkipDirect(int index)
    {
        while (index >= 0 && _pages[index].Role.Direct)
        {
            index = FrameIndex.Next(_pages, index);
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
}
