using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;

namespace MemVirt.Core.Shadow;

/// <summary>
/// The VMM's side of shadow paging, after KVM's shadow MMU: tables that map guest-virtual to host-physical addresses, built on
/// faults from the guest's own. Guest tables at level 1 and up are write-protected; leaf tables go out of sync on their first
/// write; the third write to a protected table without a use in between removes its shadow; the shadow leaf is writable when
/// the guest's dirty bit is set; pages larger in the guest than in the host are split by direct tables.
/// </summary>
public sealed class ShadowPager
{
    private const int PrefetchGroup = 8;
    private const int FloodWrites = 3;
    private readonly SparseMemory _host;
    private readonly GuestMemory _guest;
    private readonly ShadowPageSet _pages;
    private readonly RecentRoots _roots = new();
    private readonly List<int> _outOfSync = [];
    private readonly FrameSet _tableFrames = new();
    private readonly FrameSet _writableFrames = new();
    private readonly int _backingLevel;

    /// <summary>Shadow paging of a guest, its shadow tables taken from <paramref name="hostFrames"/>.</summary>
    public ShadowPager(SparseMemory host, GuestMemory guest, FrameAllocator hostFrames)
    {
        _host = host;
        _guest = guest;
        _pages = new ShadowPageSet(host, hostFrames);
        _backingLevel = guest.BackingSize.LeafLevel();
    }

    /// <summary>The host-physical address of the shadow root that the hardware walks.</summary>
    public ulong ShadowRoot { get; private set; }

    /// <summary>The guest-physical address of the last store to a protected guest table.</summary>
    public ulong LastFaultAddress { get; private set; }

    /// <summary>Whether any guest page has been split into smaller shadow pages so far.</summary>
    public bool SplitsPages { get; private set; }

    /// <summary>Shadow tables in use.</summary>
    public int ShadowPages => _pages.Count;

    /// <summary>
    /// The guest loads CR3 with bit 63 set. A root that is neither current nor one of the three loaded before it has its process's
    /// leaf tables put in sync again. Returns whether a mapping lost its write right, so that the guest's TLBs must be flushed.
    /// </summary>
    public bool LoadRoot(ulong guestRoot)
    {
        if (!_roots.Load(guestRoot))
        {
            Synchronise(guestRoot);
        }

        bool flush = false;
        ShadowRoot = _pages[RootPage(guestRoot, ref flush)].Table;
        return flush;
    }

    /// <summary>The guest flushes its TLB: every leaf table is put in sync again.</summary>
    public void Synchronise() => Synchronise(guestRoot: null);

    /// <summary>The guest executes INVLPG: the entries of the address are put in sync again, their tables stay out of sync.</summary>
    public void SynchroniseAddress(ulong address)
    {
        foreach (int index in _outOfSync)
        {
            SynchroniseEntry(index, TableGeometry.EntryOffset(address, 0));
        }
    }

    /// <summary>Handles a fault of the hardware on the current shadow tables; bits 47:0 of the linear address count.</summary>
    /// <param name="address">The linear address.</param>
    /// <param name="isStore">Whether the access was a store.</param>
    /// <param name="notPresent">Whether the hardware met an absent entry, rather than a read-only leaf.</param>
    public ShadowFaultOutcome HandleFault(ulong address, bool isStore, bool notPresent)
    {
        GuestWalkPath path = GuestWalkPath.Walk<X64FourLevel>(_guest, _roots.Current, address);
        if (!path.Present || (isStore && (path.Rights & AccessRights.Write) == 0))
        {
            return new ShadowFaultOutcome(ShadowFaultKind.Guest, FlushAll: false);
        }

        ulong gpa = TableGeometry.PageAddress(path.Entry, path.Level) | OffsetBelow(address, path.Level);
        if (isStore && IsProtected(gpa))
        {
            LastFaultAddress = gpa;
            return new ShadowFaultOutcome(ShadowFaultKind.ProtectedTable, FlushAll: false);
        }

        if (isStore && (path.Entry & X64FourLevel.DirtyBit) == 0)
        {
            _guest.SetBits(path.EntryAddress, X64FourLevel.DirtyBit);
            path.Entry |= X64FourLevel.DirtyBit;
        }

        SetAccessed(ref path, address);
        ulong hpa = _guest.Resolve(gpa);
        int leafLevel = LeafLevelOf(gpa, path.Level);
        SplitsPages |= leafLevel < path.Level;
        bool flush = false;
        ulong leafTable = DescendTo(leafLevel, address, gpa, in path, ref flush);

        // A link carries the rights of the guest's own entry, and so a leaf only those of its level: tables are shared.
        AccessRights rights = leafLevel == path.Level ? X64FourLevel.Rights(path.Entry) : AccessRights.All;
        FillLeaf(leafTable + TableGeometry.EntryOffset(address, leafLevel), leafLevel, gpa, hpa, path.Entry, rights);
        if (leafLevel == 0)
        {
            Prefetch(leafTable, address, gpa, in path);
        }

        return new ShadowFaultOutcome(notPresent ? ShadowFaultKind.Shadow : ShadowFaultKind.Dirty, flush);
    }

    /// <summary>Whether the guest's own tables grant an access, so that a fault is the shadow's to resolve.</summary>
    /// <param name="address">The linear address.</param>
    /// <param name="needed">The rights needed.</param>
    /// <param name="present">Whether the guest's tables map the address at all.</param>
    public bool MayResolve(ulong address, AccessRights needed, out bool present)
    {
        GuestWalkPath path = GuestWalkPath.Walk<X64FourLevel>(_guest, _roots.Current, address);
        present = path.Present;
        return path.Present && (needed & ~path.Rights) == 0;
    }

    /// <summary>The guest has written an entry of one of its tables; says what that cost.</summary>
    public GuestTableWrite GuestTableWritten(ulong entryAddress, int level)
    {
        ulong table = entryAddress & AddressBits.Frame;
        if (!_pages.TryFind(new ShadowRole(table, level, Direct: false, Writable: false), out int index))
        {
            return GuestTableWrite.Free;
        }

        ref ShadowPage page = ref _pages[index];
        if (level == 0)
        {
            if (page.OutOfSync)
            {
                return GuestTableWrite.Free;
            }

            page.OutOfSync = true;
            _outOfSync.Add(index);
            return GuestTableWrite.Unsync;
        }

        DropEntry(in page, entryAddress & 0xFF8);
        if (++page.WritesSinceUse < FloodWrites)
        {
            return GuestTableWrite.Protected;
        }

        Zap(index);
        return GuestTableWrite.ProtectedAndZapped;
    }

    private static ulong OffsetBelow(ulong address, int level) => address & ((1UL << TableGeometry.ShiftOf(level)) - 1);

    private bool IsProtected(ulong gpa)
    {
        ulong frame = gpa & AddressBits.Frame;
        for (int level = 0; level < X64FourLevel.Levels; level++)
        {
            if (_pages.TryFind(new ShadowRole(frame, level, Direct: false, Writable: false), out int index)
                && !_pages[index].OutOfSync)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The smaller of the guest's and the host's, and smaller still where a guest table lies in the page.</summary>
    private int LeafLevelOf(ulong gpa, int guestLevel)
    {
        int level = Math.Min(guestLevel, _backingLevel);
        while (level > 0 && _tableFrames.ContainsAny(gpa, level))
        {
            level--;
        }

        return level;
    }

    /// <summary>Sets the accessed bit in every entry on the way, as the walk that KVM makes for the guest does.</summary>
    private void SetAccessed(ref GuestWalkPath path, ulong address)
    {
        for (int level = X64FourLevel.Levels - 1; level >= path.Level; level--)
        {
            ulong entryAddress = path.Tables[level] + TableGeometry.EntryOffset(address, level);
            if ((_guest.Read(entryAddress) & X64FourLevel.AccessedBit) == 0)
            {
                _guest.SetBits(entryAddress, X64FourLevel.AccessedBit);
            }
        }

        path.Entry |= X64FourLevel.AccessedBit;
    }

    private int RootPage(ulong guestRoot, ref bool flush)
        => Obtain(new ShadowRole(guestRoot, X64FourLevel.Levels - 1, Direct: false, Writable: false), guestRoot, ref flush);

    /// <summary>The page of a role. A guest table that the shadow maps writable already is protected, or out of sync from the start.</summary>
    private int Obtain(ShadowRole role, ulong guestRoot, ref bool flush)
    {
        if (_pages.TryFind(role, out int index))
        {
            return index;
        }

        index = _pages.FindOrCreate(role, guestRoot);
        if (role.Direct)
        {
            return index;
        }

        _tableFrames.Add(role.GuestAddress, 0);
        if (!_writableFrames.ContainsAny(role.GuestAddress, 0))
        {
            return index;
        }

        if (role.Level == 0)
        {
            _pages[index].OutOfSync = true;
            _outOfSync.Add(index);
        }
        else if (_guest.TryResolve(role.GuestAddress, out ulong hpa))
        {
            _pages.WithholdWrite(hpa);
            _writableFrames.Remove(role.GuestAddress);
            flush = true;
        }

        return index;
    }

    /// <summary>Follows the shadow tables down, making and linking what is missing; every page passed counts as used.</summary>
    private ulong DescendTo(int leafLevel, ulong address, ulong gpa, in GuestWalkPath path, ref bool flush)
    {
        bool dirty = (path.Entry & X64FourLevel.DirtyBit) != 0;
        int index = RootPage(_roots.Current, ref flush);
        for (int level = X64FourLevel.Levels - 1; level > leafLevel; level--)
        {
            _pages[index].WritesSinceUse = 0;
            ulong entryOffset = TableGeometry.EntryOffset(address, level);
            ulong entryAddress = _pages[index].Table + entryOffset;
            ShadowRole role = level > path.Level
                ? new ShadowRole(path.Tables[level - 1], level - 1, Direct: false, Writable: false)
                : new ShadowRole(gpa & ~((1UL << TableGeometry.ShiftOf(level)) - 1), level - 1, Direct: true, dirty);
            AccessRights rights = level >= path.Level
                ? X64FourLevel.Rights(_guest.Read(path.Tables[level] + entryOffset))
                : AccessRights.All;
            int parent = index;
            index = Obtain(role, _roots.Current, ref flush);
            ulong wanted = LinkTo(_pages[index].Table, rights);
            ulong present = _host.Read(entryAddress);
            if (present == wanted)
            {
                continue;
            }

            if (X64FourLevel.IsPresent(present))
            {
                flush = true;
                DropEntry(in _pages[parent], entryOffset);
                if (role.Direct && dirty)
                {
                    RemoveReadOnly(role);
                }
            }

            _host.Write(entryAddress, wanted);
            _pages.AddParent(index, entryAddress);
        }

        _pages[index].WritesSinceUse = 0;
        return _pages[index].Table;
    }

    /// <summary>An entry for a table granting some rights only: a 4K leaf's bits are an upper entry's.</summary>
    private static ulong LinkTo(ulong table, AccessRights rights) => X64FourLevel.LeafEntry(table, 0, rights, dirty: false);

    /// <summary>Empties an entry of a shadow page; a page it refers to stays.</summary>
    private void DropEntry(in ShadowPage page, ulong entryOffset)
    {
        ulong entryAddress = page.Table + entryOffset;
        ulong entry = _host.Read(entryAddress);
        if (X64FourLevel.IsPresent(entry))
        {
            if (!X64FourLevel.IsLeaf(entry, page.Role.Level))
            {
                _pages.RemoveParent(_pages.OfTable(TableGeometry.TableAddress(entry)), entryAddress);
            }

            _host.Write(entryAddress, 0);
        }
    }

    /// <summary>The guest's page has become dirty: the read-only direct page of the same piece goes, and what hangs below it.</summary>
    private void RemoveReadOnly(ShadowRole writable)
    {
        ShadowRole readOnly = writable with { Writable = false };
        if (!_pages.TryFind(readOnly, out int index))
        {
            return;
        }

        for (int slot = 0; readOnly.Level > 0 && slot < TableGeometry.EntriesPerTable; slot++)
        {
            ulong piece = readOnly.GuestAddress + ((ulong)slot << TableGeometry.ShiftOf(readOnly.Level));
            RemoveReadOnly(new ShadowRole(piece, readOnly.Level - 1, Direct: true, Writable: true));
        }

        Zap(index);
    }

    /// <summary>Writes a shadow leaf with the rights given; writable only if the guest's page is dirty and no protected table.</summary>
    private void FillLeaf(ulong entryAddress, int level, ulong gpa, ulong hpa, ulong guestEntry, AccessRights rights)
    {
        bool dirty = (guestEntry & X64FourLevel.DirtyBit) != 0;
        if (!dirty || IsProtected(gpa))
        {
            rights &= ~AccessRights.Write;
        }

        if ((rights & AccessRights.Write) != 0)
        {
            _writableFrames.Add(gpa, level);
        }

        ulong page = hpa & ~((1UL << TableGeometry.ShiftOf(level)) - 1);
        _host.Write(entryAddress, X64FourLevel.LeafEntry(page, level, rights, dirty));
    }

    /// <summary>Fills the accessed entry's aligned neighbours that are absent here, accessed in the guest and backed already.</summary>
    private void Prefetch(ulong leafTable, ulong address, ulong gpa, in GuestWalkPath path)
    {
        int slot = (int)(TableGeometry.EntryOffset(address, 0) / 8);
        int firstSlot = slot & ~(PrefetchGroup - 1);
        for (int neighbour = firstSlot; neighbour < firstSlot + PrefetchGroup; neighbour++)
        {
            ulong entryAddress = leafTable + ((ulong)neighbour * 8);
            if (X64FourLevel.IsPresent(_host.Read(entryAddress)))
            {
                continue;
            }

            ulong guestEntry = path.Entry;
            ulong page = (gpa & AddressBits.Frame) + ((ulong)(long)(neighbour - slot) << 12);
            if (path.Level == 0)
            {
                guestEntry = _guest.Read((path.EntryAddress & AddressBits.Frame) + ((ulong)neighbour * 8));
                page = TableGeometry.PageAddress(guestEntry, 0);
            }

            if (X64FourLevel.IsPresent(guestEntry)
                && (guestEntry & X64FourLevel.AccessedBit) != 0
                && _guest.TryResolve(page, out ulong hpa))
            {
                FillLeaf(entryAddress, 0, page, hpa, guestEntry, path.Level == 0 ? X64FourLevel.Rights(guestEntry) : AccessRights.All);
            }
        }
    }

    private void Zap(int index)
    {
        ShadowPage page = _pages[index];
        for (ulong slot = 0; slot < TableGeometry.EntriesPerTable; slot++)
        {
            DropEntry(in page, slot * 8);
        }

        _pages.Remove(index);
        if (page.Table == ShadowRoot)
        {
            bool flush = false;
            ShadowRoot = _pages[RootPage(page.Role.GuestAddress, ref flush)].Table;
        }
    }

    /// <summary>
    /// Puts the leaf tables of a root, or all, in sync again: their shadows follow the guest's entries. A table that the guest
    /// may still write unseen goes on being out of sync.
    /// </summary>
    private void Synchronise(ulong? guestRoot)
    {
        for (int i = _outOfSync.Count - 1; i >= 0; i--)
        {
            int index = _outOfSync[i];
            if (guestRoot is { } root && _pages[index].GuestRoot != root)
            {
                continue;
            }

            for (ulong slot = 0; slot < TableGeometry.EntriesPerTable; slot++)
            {
                SynchroniseEntry(index, slot * 8);
            }

            if (!_writableFrames.ContainsAny(_pages[index].Role.GuestAddress, 0))
            {
                _pages[index].OutOfSync = false;
                _outOfSync[i] = _outOfSync[^1];
                _outOfSync.RemoveAt(_outOfSync.Count - 1);
            }
        }
    }

    /// <summary>Makes a present entry of a leaf table's shadow what the guest's is now; empty where that maps nothing in use.</summary>
    private void SynchroniseEntry(int index, ulong entryOffset)
    {
        ulong entryAddress = _pages[index].Table + entryOffset;
        if (!X64FourLevel.IsPresent(_host.Read(entryAddress)))
        {
            return;
        }

        ulong guestEntry = _guest.Read(_pages[index].Role.GuestAddress + entryOffset);
        ulong gpa = TableGeometry.PageAddress(guestEntry, 0);
        if (X64FourLevel.IsPresent(guestEntry)
            && (guestEntry & X64FourLevel.AccessedBit) != 0
            && _guest.TryResolve(gpa, out ulong hpa))
        {
            FillLeaf(entryAddress, 0, gpa, hpa, guestEntry, X64FourLevel.Rights(guestEntry));
        }
        else
        {
            _host.Write(entryAddress, 0);
        }
    }
}
