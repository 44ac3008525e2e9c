using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;

namespace MemVirt.Core.Slots;

/// <summary>The second-stage tables of a <see cref="SlotPager{TFormat,TSpace}"/>, edited under its lock.</summary>
internal sealed class SlotTables<TFormat, TSpace>(TSpace space, ulong root, PageSize largest)
    where TFormat : struct, IPageTableFormat
    where TSpace : struct, ITableSpace
{
    private TSpace _space = space;

    /// <summary>Where the way down to an address ends.</summary>
    internal EntryPosition Find(ulong gpa) => EntryPosition.Find<TFormat, TSpace>(ref _space, root, gpa, 0);

    /// <summary>Unmaps a slot; what it has dirtied is marked.</summary>
    internal PendingInvalidation Unmap(MemorySlot slot)
    {
        var journal = new EditJournal();
        journal.Force();
        Edit(slot.Range, new RemoveSlotLeaf<TFormat>(slot), ref journal);
        return journal.Pending(slot.Range);
    }

    /// <summary>Maps the page of an address at which nothing is present from a level down; a write is marked first.</summary>
    internal PendingInvalidation Map(MemorySlot slot, ulong gpa, int freeLevel, bool isWrite)
    {
        bool isProtected = slot.Logging == DirtyLogging.WriteProtection;
        if (isProtected && isWrite)
        {
            slot.Log?.Mark(slot.PageOf(gpa));
        }

        AccessRights rights = slot.IsReadOnly || (isProtected && !isWrite)
            ? AccessRights.All & ~AccessRights.Write
            : AccessRights.All;
        PageSize size = SizeFor(slot, gpa, freeLevel);
        ulong page = gpa & ~(size.SizeBytes() - 1);
        return PageTableEditor<TFormat, TSpace>.Map(
            ref _space, root, page, HostPhysicalAddress.Create(slot.BackingOf(page)), size, rights | AccessRights.UserExecute,
            dirty: slot.Logging != DirtyLogging.DirtyBits);
    }

    /// <summary>
    /// The largest page around an address that lies in the slot, is backed as aligned as it is, and has no table in its way.
    /// </summary>
    private PageSize SizeFor(MemorySlot slot, ulong gpa, int freeLevel)
    {
        if (slot.Logging != DirtyLogging.Off)
        {
            return PageSize.Size4K;
        }

        for (PageSize size = largest; size > PageSize.Size4K; size = PageSizeExtensions.AtLevel(size.LeafLevel() - 1))
        {
            ulong mask = size.SizeBytes() - 1;
            ulong page = gpa & ~mask;
            bool fits = slot.Range.Contains(page) && slot.Range.Contains(page | mask) && (slot.BackingOf(page) & mask) == 0;
            if (fits && size.LeafLevel() <= freeLevel)
            {
                return size;
            }
        }

        return PageSize.Size4K;
    }

    /// <summary>The mark comes first: a page that may be written has always been marked since it was last harvested.</summary>
    internal PendingInvalidation MakeWritable(MemorySlot slot, ulong gpa, int level)
    {
        var journal = new EditJournal();
        var range = new AddressRange(gpa & ~((1UL << TFormat.ShiftOf(level)) - 1), 1UL << TFormat.ShiftOf(level));
        var piece = range;
        if (slot.Logging == DirtyLogging.WriteProtection)
        {
            slot.Log?.Mark(slot.PageOf(gpa));
            piece = new AddressRange(gpa & ~0xFFFUL, PageSize.Size4K.SizeBytes());
            SplitAll(piece, ref journal);
        }

        Edit(piece, new SetBit(LeafBits<TFormat>.WriteBit, isOn: true), ref journal);
        return journal.Pending(range);
    }

    /// <summary>Takes the right to write from the pages of a bitmap.</summary>
    internal void Protect(MemorySlot slot, ReadOnlySpan<ulong> pages, ref EditJournal journal)
    {
        var edit = new SetBit(LeafBits<TFormat>.WriteBit, isOn: false);
        for (int word = 0; word < pages.Length; word++)
        {
            for (ulong left = pages[word]; left != 0; left &= left - 1)
            {
                ulong page = ((ulong)word * 64) + (ulong)ulong.TrailingZeroCount(left);
                Edit(new AddressRange(slot.Start.Value + (page << 12), PageSize.Size4K.SizeBytes()), edit, ref journal);
            }
        }
    }

    /// <summary>Makes one change of every leaf in a range.</summary>
    internal void Edit<TEdit>(AddressRange range, TEdit edit, ref EditJournal journal)
        where TEdit : struct, ILeafEdit
        => RangeEdit<TFormat, TSpace, TEdit>.Apply(
            ref _space, root, TFormat.Levels - 1, range.Start, range.Last, ref edit, ref journal);

    /// <summary>Splits every large page that overlaps a range into pages of 4 KiB.</summary>
    internal void SplitAll(AddressRange range, ref EditJournal journal)
    {
        for (ulong at = range.Start; at <= range.Last;)
        {
            EntryPosition found = Find(at);
            if (found.Level > 0 && TFormat.IsPresent(found.Entry))
            {
                PageResize<TFormat, TSpace>.Split(ref _space, found.EntryAddress, found.Level, ref journal);
                continue;
            }

            // Past the table of small pages, or past what is absent.
            at = (at | ((1UL << TFormat.ShiftOf(Math.Max(found.Level, 1))) - 1)) + 1;
        }
    }

    /// <summary>Makes every run of pieces within a range that can be one larger page that page, small ones first.</summary>
    internal void MergeAll(AddressRange range, ref EditJournal journal)
    {
        for (int level = 1; level <= largest.LeafLevel(); level++)
        {
            ulong bytes = 1UL << TFormat.ShiftOf(level);
            for (ulong at = (range.Start + bytes - 1) & ~(bytes - 1); at + bytes - 1 <= range.Last; at += bytes)
            {
                EntryPosition found = EntryPosition.Find<TFormat, TSpace>(ref _space, root, at, level);
                ulong table = TFormat.TableAddress(found.Entry);
                bool isTable = found.Level == level && TFormat.IsPresent(found.Entry) && !TFormat.IsLeaf(found.Entry, level);
                if (isTable && PageResize<TFormat, TSpace>.CanMerge(ref _space, table, level - 1))
                {
                    PageResize<TFormat, TSpace>.Merge(ref _space, found, table, ref journal);
                }
            }
        }
    }
}
