using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;

namespace MemVirt.Core.Shadow;

/// <content>Leaf tables that the guest writes freely, out of sync, and how they follow it again.</content>
internal sealed partial class ShadowTables
{
    /// <summary>
    /// Puts the leaf tables that a root leads to, or was the first to, in sync again: their shadows follow the guest's entries, and
    /// they are write-protected again. Returns whether the guest's TLBs must be flushed, for they may hold a table writable.
    /// </summary>
    internal bool Synchronise(ShadowRole root)
    {
        if (_outOfSync.Count == 0)
        {
            return false;
        }

        bool flush = false;
        int top = _pages.TryFind(root, out int found) ? found : -1;
        _pages.BeginSearch();
        for (int i = _outOfSync.Count - 1; i >= 0; i--)
        {
            int index = _outOfSync[i];
            if (_pages[index].GuestRoot != root.GuestAddress && !_pages.HangsBelow(index, top))
            {
                continue;
            }

            SynchroniseEntries(index);
            flush |= _guest.TryResolve(_pages[index].Role.GuestAddress, out ulong hpa)
                     && (Leaves.WithholdWrite(hpa, PageSize.Size4K.SizeBytes()) || Leaves.TlbsDirty);
            _pages[index].OutOfSync = false;
            _outOfSync[i] = _outOfSync[^1];
            _outOfSync.RemoveAt(_outOfSync.Count - 1);
        }

        return flush;
    }

    /// <summary>Puts the entry of an address in sync again where a root leads to it; its table stays out of sync.</summary>
    internal void SynchroniseAddress(ShadowRole root, ulong address)
    {
        if (_outOfSync.Count == 0 || !_pages.TryFind(root, out int index))
        {
            return;
        }

        for (int level = root.Level; level > 0; level--)
        {
            ulong entry = _host.Read(_pages[index].Table + TableGeometry.EntryOffset(address, level));
            if (!X64FourLevel.IsPresent(entry) || X64FourLevel.IsLeaf(entry, level))
            {
                return;
            }

            index = _pages.OfTable(TableGeometry.TableAddress(entry));
        }

        if (_pages[index].OutOfSync)
        {
            SynchroniseEntry(index, TableGeometry.EntryOffset(address, 0));
        }
    }

    /// <summary>Makes the entries of the out-of-sync leaf tables that a page leads to follow the guest's; they stay out of sync.</summary>
    private void SynchroniseBelow(int top)
    {
        if (_outOfSync.Count == 0)
        {
            return;
        }

        _pages.BeginSearch();
        foreach (int index in _outOfSync)
        {
            if (_pages.HangsBelow(index, top))
            {
                SynchroniseEntries(index);
            }
        }
    }

    /// <summary>
    /// Whether a page may be mapped writable (KVM's mmu_try_to_unsync_pages): never one that holds an upper table; one that holds leaf
    /// tables for a fault, whatever its access, and they go out of sync; ahead of a fault, where they are out of sync already; while
    /// tables are put in sync, not at all.
    /// </summary>
    private bool MayBeWritable(ulong gpa, LeafCause cause)
    {
        int first = _pages.FirstOfTable(gpa);
        if (first < 0 || IsUpperTable(first))
        {
            return first < 0;
        }

        switch (cause)
        {
            case LeafCause.Fault or LeafCause.SupervisorStore:
                LetGoOutOfSync(first);
                return true;
            case LeafCause.Prefetch:
                return IsOutOfSync(first);
            default:
                return false;
        }
    }

    private bool IsOutOfSync(int index)
    {
        while (index >= 0 && _pages[index].OutOfSync)
        {
            index = _pages.NextOfTable(index);
        }

        return index < 0;
    }

    private bool IsUpperTable(int index)
    {
        while (index >= 0 && _pages[index].Role.Level == 0)
        {
            index = _pages.NextOfTable(index);
        }

        return index >= 0;
    }

    private GuestTableWrite LetGoOutOfSync(int first)
    {
        bool wasInSync = false;
        for (int index = first; index >= 0; index = _pages.NextOfTable(index))
        {
            if (!_pages[index].OutOfSync)
            {
                _pages[index].OutOfSync = true;
                _outOfSync.Add(index);
                _statistics.Unsyncs++;
                wasInSync = true;
            }
        }

        return wasInSync ? GuestTableWrite.Unsync : GuestTableWrite.Free;
    }

    /// <summary>A frame becomes an upper table, which is never out of sync: what shadows it as a leaf table, and is, goes, as in KVM.</summary>
    private bool ZapOutOfSync(ulong table)
    {
        bool zapped = false;
        for (int index = _pages.FirstOfTable(table); index >= 0;)
        {
            int next = _pages.NextOfTable(index);
            if (_pages[index].OutOfSync)
            {
                Zap(index);
                zapped = true;
            }

            index = next;
        }

        return zapped;
    }

    private void SynchroniseEntries(int index)
    {
        for (ulong slot = 0; slot < TableGeometry.EntriesPerTable; slot++)
        {
            SynchroniseEntry(index, slot * 8);
        }
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

        ulong guestEntry = _guestTables.Read(_guestTables.EntryAddress(_pages[index].Role, entryOffset));
        ulong gpa = TableGeometry.PageAddress(guestEntry, 0);
        if (X64FourLevel.IsPresent(guestEntry)
            && (guestEntry & X64FourLevel.AccessedBit) != 0
            && (guestEntry & _rules.Entries.Reserved(0, isLeaf: true)) == 0
            && _guest.TryResolve(gpa, out ulong hpa)
            && TableGeometry.PageAddress(shadow, 0) == TableGeometry.PageAddress(hpa, 0))
        {
            SetLeaf(index, entryOffset, gpa, hpa, guestEntry, LeafCause.Synchronisation);
        }
        else
        {
            Leaves.Clear(entryAddress, 0);
        }
    }
}
