using System.Runtime.InteropServices;
using MemVirt.Core.Addresses;
using MemVirt.Core.Memory;

namespace MemVirt.Core.Shadow;

/// <summary>All shadow pages of a guest: found by role, in the order of their making, each with the shadow entries that refer to it.</summary>
/// <param name="host">Host memory.</param>
/// <param name="hostFrames">Where tables come from.</param>
/// <param name="reusesTables">Whether the tables of removed pages serve new ones; else each table has a frame of its own for ever.</param>
internal sealed class ShadowPageSet(SparseMemory host, FrameAllocator hostFrames, bool reusesTables)
{
    private const int None = -1;
    private readonly Dictionary<ShadowRole, int> _byRole = [];
    private readonly Dictionary<ulong, int> _byTable = [];
    private readonly Stack<int> _free = [];
    private readonly Stack<int> _freeLinks = [];
    private readonly Stack<ulong> _freeTables = [];
    private ShadowPage[] _pages = new ShadowPage[64];
    private ParentLink[] _links = new ParentLink[64];
    private int _pageCount;
    private int _linkCount;
    private int _newest = None;

    internal int Count => _byRole.Count;

    /// <summary>The page made longest ago, or −1.</summary>
    internal int Oldest { get; private set; } = None;

    internal ref ShadowPage this[int index] => ref _pages[index];

    internal bool TryFind(ShadowRole role, out int index) => _byRole.TryGetValue(role, out index);

    /// <summary>The page whose shadow table lies at a host-physical address.</summary>
    internal int OfTable(ulong table) => _byTable[table];

    /// <summary>The page of a role, made empty where it does not exist.</summary>
    internal int FindOrCreate(ShadowRole role, ulong guestRoot)
    {
        ref int slot = ref CollectionsMarshal.GetValueRefOrAddDefault(_byRole, role, out bool exists);
        if (!exists)
        {
            slot = _free.TryPop(out int free) ? free : Take(ref _pages, ref _pageCount);
            ulong table = TakeTable();
            _byTable.Add(table, slot);
            _pages[slot] = new ShadowPage
            {
                Role = role, Table = table, GuestRoot = guestRoot, FirstParent = None, Older = _newest, Newer = None,
            };
            Follow(_newest, slot);
            _newest = slot;
        }

        return slot;
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

        _byRole.Remove(page.Role);
        _byTable.Remove(page.Table);
        _free.Push(index);
        if (reusesTables)
        {
            _freeTables.Push(page.Table);
        }
    }

    private static int Take<T>(ref T[] items, ref int count)
    {
        if (count == items.Length)
        {
            Array.Resize(ref items, count * 2);
        }

        return count++;
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

    private ulong TakeTable()
    {
        if (_freeTables.TryPop(out ulong table))
        {
            return table;
        }

        table = hostFrames.Allocate(PageSize.Size4K);
        host.EnsureFrame(table);
        return table;
    }

    private struct ParentLink(ulong entryAddress, int next)
    {
        internal readonly ulong EntryAddress = entryAddress;
        internal int Next = next;
    }
}
