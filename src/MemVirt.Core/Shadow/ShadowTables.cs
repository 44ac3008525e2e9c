using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;

namespace MemVirt.Core.Shadow;

/// <summary>
/// The shadow tables and what protects the guest's: makes, links and removes pages, keeps the guest's tables write-protected or out of
/// sync, and brings leaf tables back into sync.
/// </summary>
internal sealed class ShadowTables
{
    private const int FloodWrites = 3;
    private readonly SparseMemory _host;
    private readonly GuestMemory _guest;
    private readonly ShadowPageSet _pages;
    private readonly List<int> _outOfSync = [];
    private readonly ShadowPoolOptions? _pool;
    private readonly ShadowStatistics _statistics;

    internal ShadowTables(
        SparseMemory host, GuestMemory guest, FrameAllocator hostFrames, ShadowPoolOptions? pool, ShadowStatistics statistics)
    {
        (_host, _guest, _pool, _statistics) = (host, guest, pool, statistics);
        _pages = new ShadowPageSet(host, hostFrames, reusesTables: pool is not null);
        Leaves = new ShadowLeaves(host);
    }

    internal ShadowLeaves Leaves { get; }

    internal ShadowedFrames Shadowed { get; } = new();

    internal IWriteLog? WriteLog { get; set; }

    internal int Count => _pages.Count;

    internal ref ShadowPage this[int index] => ref _pages[index];

    /// <summary>Whether a store to the frame must be seen: it holds a shadowed table that is in sync.</summary>
    internal bool IsProtected(ulong gpa)
    {
        if (!Shadowed.Contains(gpa))
        {
            return false;
        }

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

    /// <summary>The page of a role. A guest table that the shadow maps writable already is protected, or out of sync from the start.</summary>
    internal int Obtain(ShadowRole role, ulong guestRoot, ref bool flush)
    {
        if (_pages.TryFind(role, out int index))
        {
            return index;
        }

        _statistics.PagesMade++;
        index = _pages.FindOrCreate(role, guestRoot);
        if (role.Direct)
        {
            return index;
        }

        Shadowed.Add(role.GuestAddress);
        if (!_guest.TryResolve(role.GuestAddress, out ulong hpa) || !Leaves.MapsWritable(hpa))
        {
            return index;
        }

        if (role.Level == 0)
        {
            _pages[index].OutOfSync = true;
            _outOfSync.Add(index);
        }
        else
        {
            flush |= Leaves.WithholdWrite(hpa);
        }

        return index;
    }

    /// <summary>Makes an entry of a page refer to a page below; asks for a flush where it referred to something else.</summary>
    internal void Link(int parent, ulong entryOffset, int child, AccessRights rights, ref bool flush)
    {
        ulong entryAddress = _pages[parent].Table + entryOffset;

        // A 4K leaf's bits are those of an upper entry that grants some rights only.
        ulong wanted = X64FourLevel.LeafEntry(_pages[child].Table, 0, rights, dirty: false);
        ulong present = _host.Read(entryAddress);
        if (present == wanted)
        {
            return;
        }

        if (X64FourLevel.IsPresent(present))
        {
            flush = true;
            DropEntry(in _pages[parent], entryOffset);
            ShadowRole role = _pages[child].Role;
            if (role is { Direct: true, Writable: true })
            {
                RemoveReadOnly(role);
            }
        }

        _host.Write(entryAddress, wanted);
        _pages.AddParent(child, entryAddress);
    }

    /// <summary>Writes a leaf of a page, writable only if the guest's is dirty and holds no protected table; returns whether it changed.</summary>
    internal bool SetLeaf(int index, ulong entryOffset, ulong gpa, ulong hpa, AccessRights rights, bool dirty)
    {
        int level = _pages[index].Role.Level;
        if (!dirty || IsProtected(gpa))
        {
            rights &= ~AccessRights.Write;
        }

        ulong entryAddress = _pages[index].Table + entryOffset;
        ulong present = _host.Read(entryAddress);
        if (X64FourLevel.IsPresent(present) && !X64FourLevel.IsLeaf(present, level))
        {
            DropEntry(in _pages[index], entryOffset);
        }

        if ((rights & AccessRights.Write) != 0)
        {
            LogWritable(gpa, level);
        }

        ulong page = hpa & ~((1UL << TableGeometry.ShiftOf(level)) - 1);
        return Leaves.Set(entryAddress, level, X64FourLevel.LeafEntry(page, level, rights, dirty));
    }

    /// <summary>The guest has written an entry of one of its tables.</summary>
    internal GuestTableWrite Written(ulong entryAddress, int level)
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

    /// <summary>Removes a page: its entries, and those that refer to it. What hangs below stays, to be linked again.</summary>
    internal void Zap(int index)
    {
        ShadowPage page = _pages[index];
        for (ulong slot = 0; slot < TableGeometry.EntriesPerTable; slot++)
        {
            DropEntry(in page, slot * 8);
        }

        if (!page.Role.Direct)
        {
            Shadowed.Remove(page.Role.GuestAddress);
        }

        _outOfSync.Remove(index);
        _pages.Remove(index);
        _statistics.Zapped++;
    }

    /// <summary>Removes every page.</summary>
    internal void ZapAll()
    {
        while (_pages.Count > 0)
        {
            Zap(_pages.Oldest);
        }
    }

    /// <summary>
    /// Makes room for as many pages as a fault may need, by removing the oldest but the root in use; returns whether any went.
    /// </summary>
    internal bool MakeRoom(int keep)
    {
        if (_pool is null || _pages.Count + X64FourLevel.Levels <= _pool.MaxPages)
        {
            return false;
        }

        int wanted = _pool.MaxPages - Math.Max(_pool.MaxPages / 16, X64FourLevel.Levels);
        for (int index = _pages.Oldest; _pages.Count > wanted && index >= 0;)
        {
            int newer = _pages[index].Newer;
            if (index != keep)
            {
                Zap(index);
                _statistics.Recycled++;
            }

            index = newer;
        }

        return true;
    }

    /// <summary>
    /// Puts the leaf tables of a root, or all, in sync again: their shadows follow the guest's entries, and they are write-protected
    /// again. Returns whether a mapping of a table lost its write right, so that the guest's TLBs must be flushed.
    /// </summary>
    internal bool Synchronise(ulong? guestRoot)
    {
        bool flush = false;
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

            flush |= _guest.TryResolve(_pages[index].Role.GuestAddress, out ulong hpa) && Leaves.WithholdWrite(hpa);
            _pages[index].OutOfSync = false;
            _outOfSync[i] = _outOfSync[^1];
            _outOfSync.RemoveAt(_outOfSync.Count - 1);
        }

        return flush;
    }

    /// <summary>Puts the entries of an address in sync again; their tables stay out of sync.</summary>
    internal void SynchroniseAddress(ulong address)
    {
        foreach (int index in _outOfSync)
        {
            SynchroniseEntry(index, TableGeometry.EntryOffset(address, 0));
        }
    }

    /// <summary>Empties an entry of a shadow page; a page it refers to stays.</summary>
    private void DropEntry(in ShadowPage page, ulong entryOffset)
    {
        ulong entryAddress = page.Table + entryOffset;
        ulong entry = _host.Read(entryAddress);
        if (X64FourLevel.IsPresent(entry) && !X64FourLevel.IsLeaf(entry, page.Role.Level))
        {
            _pages.RemoveParent(_pages.OfTable(TableGeometry.TableAddress(entry)), entryAddress);
            _host.Write(entryAddress, 0);
        }
        else
        {
            Leaves.Clear(entryAddress, page.Role.Level);
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

    /// <summary>
    /// Gives a present entry of a leaf table's shadow the rights of the guest's now; empties it where that maps nothing in use, or
    /// another page, which the next fault fills in as KVM does.
    /// </summary>
    private void SynchroniseEntry(int index, ulong entryOffset)
    {
        ulong entryAddress = _pages[index].Table + entryOffset;
        ulong shadow = _host.Read(entryAddress);
        if (!X64FourLevel.IsPresent(shadow))
        {
            Leaves.Clear(entryAddress, 0);
            return;
        }

        ulong guestEntry = _guest.Read(_pages[index].Role.GuestAddress + entryOffset);
        ulong gpa = TableGeometry.PageAddress(guestEntry, 0);
        if (X64FourLevel.IsPresent(guestEntry)
            && (guestEntry & X64FourLevel.AccessedBit) != 0
            && _guest.TryResolve(gpa, out ulong hpa)
            && TableGeometry.PageAddress(shadow, 0) == TableGeometry.PageAddress(hpa, 0))
        {
            SetLeaf(index, entryOffset, gpa, hpa, X64FourLevel.Rights(guestEntry), (guestEntry & X64FourLevel.DirtyBit) != 0);
        }
        else
        {
            Leaves.Clear(entryAddress, 0);
        }
    }

    private void LogWritable(ulong gpa, int level)
    {
        if (WriteLog is not { } log)
        {
            return;
        }

        ulong bytes = PageSizeExtensions.AtLevel(level).SizeBytes();
        ulong start = gpa & ~(bytes - 1);
        for (ulong page = start; page < start + bytes; page += PageSize.Size4K.SizeBytes())
        {
            log.Mark(page);
        }
    }
}
