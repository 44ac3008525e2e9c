using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;

namespace MemVirt.Core.Shadow;

/// <content>How a shadow fault that is no fault of the guest's fills the shadow tables.</content>
public sealed partial class ShadowPager
{
    /// <summary>The smaller of the guest's and the host's, and smaller still where a guest table or a device lies in the page.</summary>
    private int LeafLevelOf(ulong gpa, int guestLevel)
    {
        int level = Math.Min(guestLevel, _backingLevel);
        while (level > 0 && (_tables.DisallowedLargePages.Contains(gpa, level) || HasMmioIn(gpa, level)))
        {
            level--;
        }

        return level;
    }

    private bool HasMmioIn(ulong gpa, int level)
    {
        ulong bytes = PageSizeExtensions.AtLevel(level).SizeBytes();
        ulong page = gpa & ~(bytes - 1);
        return _guest.LimitBytes - page < bytes || HasMmio?.Invoke(page, bytes) == true;
    }

    /// <summary>Sets the accessed bit in every entry on the way and the dirty bit for a store, as the walk that KVM makes for the guest does.</summary>
    private void SetFlags(ref GuestWalkPath path, ulong address, bool isStore)
    {
        for (int level = _guestTables.TopLevel; level >= path.Level; level--)
        {
            ulong flags = X64FourLevel.AccessedBit | (isStore && level == path.Level ? X64FourLevel.DirtyBit : 0);
            if (_guestTables.SetFlags(_guestTables.EntryAddress(path.Tables[level], address, level), flags))
            {
                WriteLog?.Mark(path.Tables[level]);
            }
        }

        path.Entry |= X64FourLevel.AccessedBit | (isStore ? X64FourLevel.DirtyBit : 0);
    }

    /// <summary>Follows the shadow tables down, making and linking what is missing; every page passed counts as used.</summary>
    private int DescendTo(int leafLevel, ulong address, ulong gpa, in GuestWalkPath path, LeafCause cause, ref bool flush)
    {
        // Pieces that a supervisor may write are none of the same page where it is clean, or user mode's: that one's first store must fault.
        bool dirty = (path.Entry & X64FourLevel.DirtyBit) != 0;
        AccessRights rightsOfPage = cause == LeafCause.SupervisorStore ? _tables.OfSupervisor(path.Rights) : path.Rights;
        AccessRights ofPiece = dirty ? rightsOfPage : rightsOfPage & ~AccessRights.Write;
        AccessRights rights = AccessRights.Unrestricted;
        int index = _rootPages[_guestTables.RootNumber(address)];
        ulong guestRoot = _tables[index].Role.GuestAddress;
        for (int level = _guestTables.TopLevel; level > leafLevel; level--)
        {
            _tables[index].IsUsed();
            ulong entryOffset = TableGeometry.EntryOffset(address, level);
            if (level > path.Level)
            {
                rights &= X64FourLevel.Rights(_guestTables.Read(_guestTables.EntryAddress(path.Tables[level], address, level)));
            }

            ShadowRole role = level > path.Level
                ? new ShadowRole(path.Tables[level - 1], level - 1, direct: false, rights, quadrant: _guestTables.QuadrantOf(address, level - 1))
                : new ShadowRole(gpa & ~((1UL << TableGeometry.ShiftOf(level)) - 1), level - 1, direct: true, ofPiece, (path.Entry & X64FourLevel.Global) != 0);
            int child = _tables.Obtain(role, guestRoot, ref flush);
            _tables.Link(index, entryOffset, child, ref flush);
            index = child;
        }

        _tables[index].IsUsed();
        return index;
    }

    /// <summary>Fills the accessed entry's aligned neighbours that are absent here, accessed in the guest and backed already.</summary>
    private void Prefetch(int leafPage, ulong address, ulong gpa, in GuestWalkPath path)
    {
        int slot = (int)(TableGeometry.EntryOffset(address, 0) / 8);
        int firstSlot = slot & ~(PrefetchGroup - 1);
        for (int neighbour = firstSlot; neighbour < firstSlot + PrefetchGroup; neighbour++)
        {
            ulong entryOffset = (ulong)neighbour * 8;
            if (X64FourLevel.IsPresent(_tables.Leaves.Read(_tables[leafPage].Table + entryOffset)))
            {
                continue;
            }

            ulong guestEntry = path.Entry;
            ulong page = (gpa & AddressBits.Frame) + ((ulong)(long)(neighbour - slot) << 12);
            if (path.Level == 0)
            {
                guestEntry = _guestTables.Read(path.EntryAddress + (ulong)(long)((neighbour - slot) * _guestTables.EntryBytes));
                page = TableGeometry.PageAddress(guestEntry, 0);
            }

            if (MayPrefetch(guestEntry, path.Level) && _guest.TryResolve(page, out ulong hpa) && !IsMmioPage(page))
            {
                _tables.SetLeaf(leafPage, entryOffset, page, hpa, guestEntry, LeafCause.Prefetch);
            }
        }
    }

    private bool MayPrefetch(ulong guestEntry, int level)
        => X64FourLevel.IsPresent(guestEntry)
           && (guestEntry & X64FourLevel.AccessedBit) != 0
           && (guestEntry & _rules.Entries.Reserved(level, isLeaf: true)) == 0
           && (WriteLog is null || (guestEntry & X64FourLevel.DirtyBit) == 0);
}
