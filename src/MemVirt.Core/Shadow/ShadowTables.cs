using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Sources;

namespace MemVirt.Core.Shadow;

/// <summary>
/// The shadow tables and what protects the guest's: makes, links and removes pages, keeps the guest's tables write-protected or out of
/// sync, and brings leaf tables back into sync.
/// </summary>
internal sealed partial class ShadowTables
{
    private const int FloodWrites = 3;
    private readonly SparseMemory _host;
    private readonly GuestMemory _guest;
    private readonly GuestTables _guestTables;
    private readonly ShadowPageSet _pages;
    private readonly List<int> _outOfSync = [];
    private readonly ShadowPoolOptions _pool;
    private readonly GuestRules _rules;
    private readonly ShadowStatistics _statistics;

    internal ShadowTables(
        SparseMemory host, GuestMemory guest, FrameAllocator hostFrames, ShadowPoolOptions pool, GuestRules rules, GuestTables guestTables,
        ShadowStatistics statistics)
    {
        (_host, _guest, _pool, _rules, _guestTables, _statistics) = (host, guest, pool, rules, guestTables, statistics);
        _pages = new ShadowPageSet(host, hostFrames, pool.ReusesTables);
        Leaves = new ShadowLeaves(host);
    }

    internal ShadowLeaves Leaves { get; }

    internal DisallowedLargePages DisallowedLargePages { get; } = new();

    internal IWriteLog? WriteLog { get; set; }

    internal int Count => _pages.Count;

    /// <summary>Whether leaves may be there that <see cref="LeafCause.SupervisorStore"/> made: they stand for CR0.WP and CR4.SMEP as they were.</summary>
    internal bool HasSupervisorLeaves { get; private set; }

    internal long IndexBytes => _pages.IndexBytes + DisallowedLargePages.Bytes + (_outOfSync.Capacity * sizeof(int));

    internal ref ShadowPage this[int index] => ref _pages[index];

    /// <summary>What a leaf of <see cref="LeafCause.SupervisorStore"/> grants, of what the guest's entries grant.</summary>
    internal AccessRights OfSupervisor(AccessRights rights)
    {
        AccessRights withheld = AccessRights.User | (_rules.SupervisorExecutionPrevention ? AccessRights.Execute : AccessRights.None);
        return (rights | AccessRights.Write) & ~withheld;
    }

    /// <summary>Whether each store to the frame must be seen: it holds a shadowed table of an upper level.</summary>
    internal bool HoldsUpperTable(ulong gpa) => IsUpperTable(_pages.FirstOfTable(gpa));

    /// <summary>The page of a role. A guest table that the shadow maps writable already is protected from now on.</summary>
    internal int Obtain(ShadowRole role, ulong guestRoot, ref bool flush)
    {
        if (_pages.TryFind(role, out int index))
        {
            return index;
        }

        _statistics.PagesMade++;
        if (role.Direct)
        {
            return _pages.Create(role, guestRoot);
        }

        if (role.Level > 0)
        {
            flush |= ZapOutOfSync(role.GuestAddress);
        }

        index = _pages.Create(role, guestRoot);
        DisallowedLargePages.Change(role.GuestAddress, +1);
        if (_guest.TryResolve(role.GuestAddress, out ulong hpa))
        {
            flush |= Leaves.WithholdWrite(hpa, PageSize.Size4K.SizeBytes()) || Leaves.TlbsDirty;
        }

        return index;
    }

    /// <summary>Makes an entry of a page refer to a page below; asks for a flush where it referred to something else.</summary>
    internal void Link(int parent, ulong entryOffset, int child, ref bool flush)
    {
        ulong entryAddress = _pages[parent].Table + entryOffset;

        // It grants everything: the rights of the guest's entries are in the role, and so in the leaves.
        ulong wanted = X64FourLevel.TableEntry(_pages[child].Table);
        ulong present = _host.Read(entryAddress);
        if (present == wanted)
        {
            return;
        }

        if (X64FourLevel.IsPresent(present))
        {
            flush = true;
            DropEntry(parent, entryOffset);
            ShadowRole role = _pages[child].Role;
            if (role.Direct && (role.Rights & AccessRights.Write) != 0)
            {
                RemoveReadOnly(role);
            }
        }

        // The guest owes no invalidation for an entry that was not there: what hangs below may be no staler than now.
        SynchroniseBelow(child);
        _host.Write(entryAddress, wanted);
        _pages.AddParent(child, parent, entryOffset);
    }

    /// <summary>
    /// Writes a leaf of a page, writable only if the guest's is dirty and the page may be written unseen; returns whether it changed.
    /// </summary>
    /// <param name="index">The page.</param>
    /// <param name="entryOffset">Where the leaf lies in its table, in bytes.</param>
    /// <param name="gpa">A guest-physical address in the page mapped.</param>
    /// <param name="hpa">Where that lies.</param>
    /// <param name="guestLeaf">The guest's leaf; what its other entries grant is in the page's role.</param>
    /// <param name="cause">What it is written for.</param>
    internal bool SetLeaf(int index, ulong entryOffset, ulong gpa, ulong hpa, ulong guestLeaf, LeafCause cause)
    {
        int level = _pages[index].Role.Level;
        bool dirty = (guestLeaf & X64FourLevel.DirtyBit) != 0;
        AccessRights rights = X64FourLevel.LeafRights(guestLeaf) & _pages[index].Role.Rights;
        ulong entryAddress = _pages[index].Table + entryOffset;
        ulong present = _host.Read(entryAddress);
        if (cause == LeafCause.SupervisorStore)
        {
            rights = OfSupervisor(rights);
            HasSupervisorLeaves = true;
        }

        ulong page = hpa & ~((1UL << TableGeometry.ShiftOf(level)) - 1);
        bool isWritable = X64FourLevel.IsPresent(present) && X64FourLevel.IsLeaf(present, level)
                          && (present & X64FourLevel.Writable) != 0 && TableGeometry.PageAddress(present, level) == page;
        if ((rights & AccessRights.Write) != 0 && !(dirty && (isWritable || MayBeWritable(gpa, cause))))
        {
            rights &= ~AccessRights.Write;
        }

        if (X64FourLevel.IsPresent(present) && !X64FourLevel.IsLeaf(present, level))
        {
            DropEntry(index, entryOffset);
        }

        if ((rights & AccessRights.Write) != 0)
        {
            LogWritable(gpa, level);
        }

        // A leaf that is dirty and not writable is a shadow-stack page to the hardware, and only to be where it is one to the guest.
        bool isDirty = dirty && (rights & (AccessRights.Write | AccessRights.ShadowStack)) != 0;
        return Leaves.Set(entryAddress, level, X64FourLevel.LeafEntry(page, level, rights, isDirty) | (guestLeaf & X64FourLevel.Global));
    }

    /// <summary>
    /// The guest has written to one of its tables; every page that shadows the table follows. What is no store to one entry, or of less
    /// than half of it, removes the shadow of an upper table at once: the frame is used otherwise (KVM's detect_write_misaligned).
    /// </summary>
    internal GuestTableWrite Written(ulong gpa, int lengthBytes)
    {
        int first = _pages.FirstOfTable(gpa);
        if (first < 0)
        {
            return GuestTableWrite.Free;
        }

        if (!IsUpperTable(first))
        {
            return LetGoOutOfSync(first);
        }

        bool zapped = false;
        bool isOfEntry = _guestTables.IsOfOneEntry(gpa, lengthBytes);
        for (int index = first; index >= 0;)
        {
            int next = _pages.NextOfTable(index);
            ref ShadowPage page = ref _pages[index];
            bool isWritten = _guestTables.TryWrittenEntries(page.Role, gpa, out ulong entryOffset, out int entries);
            for (int entry = 0; isWritten && entry < entries; entry++)
            {
                DropEntry(index, entryOffset + ((ulong)entry * 8));
            }

            if (!isOfEntry || (page.Role.Level > 0 && page.CountWrite() >= FloodWrites))
            {
                Zap(index);
                _statistics.Flooded++;
                zapped = true;
            }

            index = next;
        }

        return zapped ? GuestTableWrite.ProtectedAndZapped : GuestTableWrite.Protected;
    }

    /// <summary>Removes a page: its entries, and those that refer to it. What hangs below stays, to be linked again.</summary>
    internal void Zap(int index)
    {
        for (ulong slot = 0; slot < TableGeometry.EntriesPerTable; slot++)
        {
            DropEntry(index, slot * 8);
        }

        ref ShadowPage page = ref _pages[index];
        if (!page.Role.Direct)
        {
            DisallowedLargePages.Change(page.Role.GuestAddress, -1);
        }

        if (page.OutOfSync)
        {
            _outOfSync.Remove(index);
        }

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

        HasSupervisorLeaves = false;
    }

    /// <summary>
    /// Makes room for as many pages as a fault may need, by removing the oldest but the roots in use; returns whether any went.
    /// </summary>
    internal bool MakeRoom(ReadOnlySpan<int> keep)
    {
        if (_pages.Count + X64FourLevel.Levels <= _pool.MaxPages)
        {
            return false;
        }

        int wanted = _pool.MaxPages - Math.Max(_pool.MaxPages / 16, X64FourLevel.Levels);
        for (int index = _pages.Oldest; _pages.Count > wanted && index >= 0;)
        {
            int newer = _pages[index].Newer;
            if (!keep.Contains(index))
            {
                Zap(index);
                _statistics.Recycled++;
            }

            index = newer;
        }

        return true;
    }

    /// <summary>Empties an entry of a shadow page; a page it refers to stays.</summary>
    private void DropEntry(int index, ulong entryOffset)
    {
        ref ShadowPage page = ref _pages[index];
        ulong entryAddress = page.Table + entryOffset;
        ulong entry = _host.Read(entryAddress);
        if (X64FourLevel.IsPresent(entry) && !X64FourLevel.IsLeaf(entry, page.Role.Level))
        {
            _pages.RemoveParent(_pages.OfTable(TableGeometry.TableAddress(entry)), index, entryOffset);
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
        AccessRights rights = writable.Rights & ~AccessRights.Write;
        var readOnly = new ShadowRole(writable.GuestAddress, writable.Level, direct: true, rights, writable.Global);
        if (!_pages.TryFind(readOnly, out int index))
        {
            return;
        }

        for (int slot = 0; readOnly.Level > 0 && slot < TableGeometry.EntriesPerTable; slot++)
        {
            ulong piece = readOnly.GuestAddress + ((ulong)slot << TableGeometry.ShiftOf(readOnly.Level));
            RemoveReadOnly(new ShadowRole(piece, writable.Level - 1, direct: true, writable.Rights, writable.Global));
        }

        Zap(index);
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
