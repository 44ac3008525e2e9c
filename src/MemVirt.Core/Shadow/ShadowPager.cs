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

    /// <summary>Shadow tables in use.</summary>
    public int ShadowPages => _pages.Count;

    /// <summary>
    /// The guest loads CR3 with bit 63 set. A root that is neither current nor one of the three loaded before it has its process's
    /// leaf tables put in sync again.
    /// </summary>
    public void LoadRoot(ulong guestRoot)
    {
        if (!_roots.Load(guestRoot))
        {
            Synchronise(guestRoot);
        }

        ShadowRoot = _pages[RootPage(guestRoot)].Table;
    }

    /// <summary>Handles a fault of the hardware on the current shadow tables; bits 47:0 of the linear address count.</summary>
    /// <param name="address">The linear address.</param>
    /// <param name="isStore">Whether the access was a store.</param>
    /// <param name="notPresent">Whether the hardware met an absent entry, rather than a read-only leaf.</param>
    public ShadowFaultOutcome HandleFault(ulong address, bool isStore, bool notPresent)
    {
        GuestWalkPath path = GuestWalkPath.Walk<X64FourLevel>(_guest, _roots.Current, address);
        if (!path.Present)
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

        ulong hpa = _guest.Resolve(gpa);
        int leafLevel = Math.Min(path.Level, _backingLevel);
        ulong leafTable = DescendTo(leafLevel, address, gpa, in path, out bool replacedReadOnly);
        FillLeaf(leafTable + TableGeometry.EntryOffset(address, leafLevel), leafLevel, gpa, hpa, path.Entry, path.Rights);
        if (leafLevel == 0)
        {
            Prefetch(leafTable, address, gpa, in path);
        }

        return new ShadowFaultOutcome(notPresent ? ShadowFaultKind.Shadow : ShadowFaultKind.Dirty, replacedReadOnly);
    }

    /// <summary>Whether the guest's own tables grant an access, so that a protection fault is the shadow's to resolve.</summary>
    public bool MayResolve(ulong address, AccessRights needed)
    {
        GuestWalkPath path = GuestWalkPath.Walk<X64FourLevel>(_guest, _roots.Current, address);
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

    private int RootPage(ulong guestRoot)
        => _pages.FindOrCreate(new ShadowRole(guestRoot, X64FourLevel.Levels - 1, Direct: false, Writable: false), guestRoot);

    /// <summary>Follows the shadow tables down, making and linking what is missing; every page passed counts as used.</summary>
    private ulong DescendTo(int leafLevel, ulong address, ulong gpa, in GuestWalkPath path, out bool replacedReadOnly)
    {
        replacedReadOnly = false;
        bool dirty = (path.Entry & X64FourLevel.DirtyBit) != 0;
        int index = RootPage(_roots.Current);
        for (int level = X64FourLevel.Levels - 1; level > leafLevel; level--)
        {
            _pages[index].WritesSinceUse = 0;
            ulong entryAddress = _pages[index].Table + TableGeometry.EntryOffset(address, level);
            ShadowRole role = level > path.Level
                ? new ShadowRole(path.Tables[level - 1], level - 1, Direct: false, Writable: false)
                : new ShadowRole(gpa & ~((1UL << TableGeometry.ShiftOf(level)) - 1), level - 1, Direct: true, dirty);
            index = _pages.FindOrCreate(role, _roots.Current);
            ulong wanted = X64FourLevel.TableEntry(_pages[index].Table);
            ulong present = _host.Read(entryAddress);
            if (present == wanted)
            {
                continue;
            }

            if (X64FourLevel.IsPresent(present) && role.Direct)
            {
                replacedReadOnly |= RemoveReadOnly(role);
            }

            _host.Write(entryAddress, wanted);
            _pages.AddParent(index, entryAddress);
        }

        _pages[index].WritesSinceUse = 0;
        return _pages[index].Table;
    }

    /// <summary>The guest's page has become dirty: the read-only direct page of the same piece goes, and what hangs below it.</summary>
    private bool RemoveReadOnly(ShadowRole writable)
    {
        ShadowRole readOnly = writable with { Writable = false };
        if (!_pages.TryFind(readOnly, out int index))
        {
            return false;
        }

        for (int slot = 0; readOnly.Level > 0 && slot < TableGeometry.EntriesPerTable; slot++)
        {
            ulong piece = readOnly.GuestAddress + ((ulong)slot << TableGeometry.ShiftOf(readOnly.Level));
            RemoveReadOnly(new ShadowRole(piece, readOnly.Level - 1, Direct: true, Writable: true));
        }

        _pages.Remove(index);
        return true;
    }

    /// <summary>Writes a shadow leaf with the guest's rights; writable only if the guest's page is dirty and no protected table.</summary>
    private void FillLeaf(ulong entryAddress, int level, ulong gpa, ulong hpa, ulong guestEntry, AccessRights rights)
    {
        bool dirty = (guestEntry & X64FourLevel.DirtyBit) != 0;
        if (!dirty || IsProtected(gpa))
        {
            rights &= ~AccessRights.Write;
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
                FillLeaf(entryAddress, 0, page, hpa, guestEntry, path.RightsAbove & X64FourLevel.Rights(guestEntry));
            }
        }
    }

    private void Zap(int index)
    {
        ShadowPage page = _pages[index];
        for (int slot = 0; slot < TableGeometry.EntriesPerTable; slot++)
        {
            ulong entryAddress = page.Table + ((ulong)slot * 8);
            ulong entry = _host.Read(entryAddress);
            if (X64FourLevel.IsPresent(entry) && !X64FourLevel.IsLeaf(entry, page.Role.Level))
            {
                _pages.RemoveParent(_pages.OfTable(TableGeometry.TableAddress(entry)), entryAddress);
            }
        }

        _pages.Remove(index);
        if (page.Table == ShadowRoot)
        {
            ShadowRoot = _pages[RootPage(page.Role.GuestAddress)].Table;
        }
    }

    private void Synchronise(ulong guestRoot)
    {
        for (int i = _outOfSync.Count - 1; i >= 0; i--)
        {
            ref ShadowPage page = ref _pages[_outOfSync[i]];
            if (page.GuestRoot == guestRoot)
            {
                page.OutOfSync = false;
                _outOfSync[i] = _outOfSync[^1];
                _outOfSync.RemoveAt(_outOfSync.Count - 1);
            }
        }
    }
}
