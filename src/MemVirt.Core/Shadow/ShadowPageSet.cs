using System.Runtime.InteropServices;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;

namespace MemVirt.Core.Shadow;

/// <summary>All shadow pages of a guest: found by role, each with the shadow entries that refer to it.</summary>
internal sealed class ShadowPageSet(SparseMemory host, FrameAllocator hostFrames)
{
    private readonly Dictionary<ShadowRole, int> _byRole = [];
    private readonly Dictionary<ulong, int> _byTable = [];
    private readonly Stack<int> _free = [];
    private readonly Stack<int> _freeLinks = [];
    private ShadowPage[] _pages = new ShadowPage[64];
    private ParentLink[] _links = new ParentLink[64];
    private int _pageCount;
    private int _linkCount;

    internal int Count => _byRole.Count;

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
            ulong table = hostFrames.Allocate(PageSize.Size4K);
            host.EnsureFrame(table);
            _byTable.Add(table, slot);
            _pages[slot] = new ShadowPage { Role = role, Table = table, GuestRoot = guestRoot, FirstParent = -1 };
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

    /// <summary>Takes the write right from every leaf that maps the frame at a host-physical address. Cost: one pass over all tables.</summary>
    internal void WithholdWrite(ulong frame)
    {
        foreach (int index in _byRole.Values)
        {
            int level = _pages[index].Role.Level;
            for (ulong slot = 0; level < 3 && slot < TableGeometry.EntriesPerTable; slot++)
            {
                ulong entryAddress = _pages[index].Table + (slot * 8);
                ulong entry = host.Read(entryAddress);
                if (X64FourLevel.IsPresent(entry) && X64FourLevel.IsLeaf(entry, level)
                    && TableGeometry.PageAddress(entry, level) == TableGeometry.PageAddress(frame, level))
                {
                    AccessRights rights = X64FourLevel.Rights(entry) & ~AccessRights.Write;
                    bool dirty = (entry & X64FourLevel.DirtyBit) != 0;
                    host.Write(entryAddress, X64FourLevel.LeafEntry(TableGeometry.PageAddress(entry, level), level, rights, dirty));
                }
            }
        }
    }

    /// <summary>Removes a page: clears the entries that refer to it and forgets those it holds. Its children stay.</summary>
    internal void Remove(int index)
    {
        ShadowPage page = _pages[index];
        for (int link = page.FirstParent; link >= 0; link = _links[link].Next)
        {
            host.Write(_links[link].EntryAddress, 0);
            _freeLinks.Push(link);
        }

        _byRole.Remove(page.Role);
        _byTable.Remove(page.Table);
        _free.Push(index);
    }

    private static int Take<T>(ref T[] items, ref int count)
    {
        if (count == items.Length)
        {
            Array.Resize(ref items, count * 2);
        }

        return count++;
    }

    private struct ParentLink(ulong entryAddress, int next)
    {
        internal readonly ulong EntryAddress = entryAddress;
        internal int Next = next;
    }
}
