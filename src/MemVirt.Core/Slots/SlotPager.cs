using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;

namespace MemVirt.Core.Slots;

/// <summary>
/// Maps a guest's slots in a second stage, on demand, and logs their writes. Every thread may call it, at any time; processors
/// walk the tables meanwhile. It edits under one lock, and never waits for a processor while it holds that.
/// </summary>
/// <remarks>
/// <para>Whoever completes a returned invalidation from a processor's own thread parks that processor first.</para>
/// <para>Software that stores to slots by itself (a device) takes part in the bus like a processor: it takes one
/// <see cref="MemorySlots.Current"/>, stores, then marks, then polls, and after that takes a new one.</para>
/// </remarks>
/// <param name="space">The tables' memory.</param>
/// <param name="root">The root table.</param>
/// <param name="slots">The slots; from now on changed through the pager only.</param>
/// <param name="largest">The largest pages to map.</param>
public sealed class SlotPager<TFormat, TSpace>(TSpace space, ulong root, MemorySlots slots, PageSize largest = PageSize.Size1G)
    where TFormat : struct, IPageTableFormat
    where TSpace : struct, ITableSpace
{
    private readonly Lock _edits = new();
    private TSpace _space = space;

    /// <summary>The slots.</summary>
    public MemorySlots Slots => slots;

    /// <summary>Adds a slot; its pages are mapped as they are used. Nothing need be forgotten.</summary>
    /// <exception cref="ArgumentException">As <see cref="MemorySlots.Add"/>; or the second stage does not reach so far.</exception>
    public void Add(MemorySlot slot)
    {
        ArgumentNullException.ThrowIfNull(slot);
        RequireReach(slot);
        slots.Add(slot);
    }

    /// <summary>Removes a slot and unmaps it. The memory behind it is free when the invalidation has been acknowledged.</summary>
    /// <exception cref="ArgumentException">There is no such slot.</exception>
    public PendingInvalidation Remove(int id)
    {
        lock (_edits)
        {
            return Unmap(slots.Remove(id));
        }
    }

    /// <summary>
    /// Moves a slot to another guest-physical address, its contents, its log and what that holds with it. Its pages are mapped
    /// there as they are used; stale translations of the old address write to the same memory until they are acknowledged.
    /// </summary>
    /// <exception cref="ArgumentException">As <see cref="MemorySlots.Move"/>; or the second stage does not reach so far.</exception>
    public PendingInvalidation Move(int id, GuestPhysicalAddress start)
    {
        lock (_edits)
        {
            MemorySlot before = slots.Get(id);
            RequireReach(before with { Start = start });
            slots.Move(id, start);
            return Unmap(before);
        }
    }

    /// <summary>Makes a slot read-only or writable. It grants a write again when the next one faults.</summary>
    /// <exception cref="ArgumentException">There is no such slot.</exception>
    public PendingInvalidation SetReadOnly(int id, bool isReadOnly)
    {
        lock (_edits)
        {
            MemorySlot slot = slots.SetReadOnly(id, isReadOnly);
            var journal = new EditJournal();
            journal.Force();
            if (isReadOnly)
            {
                Edit(slot.Range, new SetBit(LeafBits<TFormat>.WriteBit, isOn: false), ref journal);
            }

            return journal.Pending(slot.Range);
        }
    }

    /// <summary>
    /// Starts to log a slot's writes: those that begin after the invalidation was acknowledged. Copy everything once then, harvest
    /// from there on. A slot that logs already goes on, in the new way, with what is marked.
    /// </summary>
    /// <remarks>
    /// By write protection, large pages lose their right to write as a whole and are split when one is written, so that what is only
    /// read stays large. By dirty bits no fault tells, so large pages are split here.
    /// </remarks>
    /// <exception cref="ArgumentException">There is no such slot, or the format keeps no dirty bits.</exception>
    public PendingInvalidation Arm(int id, DirtyLogging logging)
    {
        if (logging == DirtyLogging.DirtyBits && TFormat.DirtyBit == 0)
        {
            SlotErrors.NoDirtyBits(typeof(TFormat).Name);
        }

        lock (_edits)
        {
            MemorySlot before = slots.Get(id);
            MemorySlot slot = slots.SetLogging(id, logging);
            var journal = new EditJournal();
            journal.Force();
            if (before.Logging == DirtyLogging.DirtyBits)
            {
                Edit(slot.Range, new TakeDirty<TFormat>(before), ref journal);
            }

            switch (logging)
            {
                case DirtyLogging.WriteProtection:
                    Edit(slot.Range, new SetBit(LeafBits<TFormat>.WriteBit, isOn: false), ref journal);
                    break;
                case DirtyLogging.DirtyBits:
                    SplitAll(slot.Range, ref journal);
                    Edit(slot.Range, new SetBit(TFormat.DirtyBit, isOn: false), ref journal);
                    break;
            }

            return journal.Pending(slot.Range);
        }
    }

    /// <summary>Stops logging a slot's writes. Pages become writable again when a write faults.</summary>
    /// <exception cref="ArgumentException">There is no such slot.</exception>
    public void Disarm(int id)
    {
        lock (_edits)
        {
            slots.SetLogging(id, DirtyLogging.Off);
        }
    }

    /// <summary>
    /// Takes a slot's dirty pages and arms them again. Read the pages when the invalidation has been acknowledged, not before: until
    /// then a processor may write to them without a trace. No allocation.
    /// </summary>
    /// <param name="id">The slot.</param>
    /// <param name="dirtyPages">Receives a bit for each page, by its number within the slot.</param>
    /// <param name="count">How many are set.</param>
    /// <exception cref="ArgumentException">There is no such slot, or the bitmap is too short.</exception>
    /// <exception cref="InvalidOperationException">The slot logs no writes.</exception>
    public PendingInvalidation Harvest(int id, Span<ulong> dirtyPages, out long count)
    {
        lock (_edits)
        {
            MemorySlot slot = slots.Get(id);
            if (slot.Log is not { } log)
            {
                SlotErrors.NotLogging(slot);
                throw new System.Diagnostics.UnreachableException();
            }

            var journal = new EditJournal();
            if (slot.Logging == DirtyLogging.DirtyBits)
            {
                Edit(slot.Range, new TakeDirty<TFormat>(slot), ref journal);
            }

            count = log.Harvest(dirtyPages);
            if (count != 0)
            {
                // Also where no leaf changes here: a mark may come from a page whose unmapping is not acknowledged yet.
                journal.Force();
            }

            if (slot.Logging == DirtyLogging.WriteProtection)
            {
                Protect(slot, dirtyPages[..log.WordCount], ref journal);
            }

            return journal.Pending(slot.Range);
        }
    }

    /// <summary>
    /// Handles a second-stage fault of an access: maps the page, or marks it dirty and lets it be written. Allocates tables only.
    /// </summary>
    public SlotFault HandleFault(ulong gpa, MemoryAccess access, out PendingInvalidation pending)
    {
        pending = PendingInvalidation.Nothing;
        lock (_edits)
        {
            if (!slots.TryFind(gpa, out MemorySlot? slot))
            {
                return SlotFault.NoSlot;
            }

            bool isWrite = access == MemoryAccess.Write;
            if (isWrite && slot.IsReadOnly)
            {
                return SlotFault.ReadOnlySlot;
            }

            EntryPosition found = EntryPosition.Find<TFormat, TSpace>(ref _space, root, gpa, 0);
            if (!TFormat.IsPresent(found.Entry))
            {
                pending = Map(slot, gpa, found.Level, isWrite);
                return SlotFault.Mapped;
            }

            if (!isWrite || (found.Entry & LeafBits<TFormat>.WriteBit) != 0)
            {
                return SlotFault.Settled;
            }

            pending = MakeWritable(slot, gpa, found.Level);
            return SlotFault.MadeWritable;
        }
    }

    private static void RequireReach(MemorySlot slot)
    {
        int reach = SpaceEntry<TFormat, TSpace>.Reach;
        if (slot.Range.Last >> reach != 0)
        {
            SlotErrors.PastReach(slot, reach);
        }
    }

    private PendingInvalidation Unmap(MemorySlot slot)
    {
        var journal = new EditJournal();
        journal.Force();
        Edit(slot.Range, new RemoveSlotLeaf<TFormat>(slot), ref journal);
        return journal.Pending(slot.Range);
    }

    private PendingInvalidation Map(MemorySlot slot, ulong gpa, int freeLevel, bool isWrite)
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

    /// <summary>The largest page around an address that lies in the slot, is backed as aligned as it is, and has no table in its way.</summary>
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
    private PendingInvalidation MakeWritable(MemorySlot slot, ulong gpa, int level)
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
    private void Protect(MemorySlot slot, ReadOnlySpan<ulong> pages, ref EditJournal journal)
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

    private void Edit<TEdit>(AddressRange range, TEdit edit, ref EditJournal journal)
        where TEdit : struct, ILeafEdit
        => RangeEdit<TFormat, TSpace, TEdit>.Apply(
            ref _space, root, TFormat.Levels - 1, range.Start, range.Last, ref edit, ref journal);

    /// <summary>Splits every large page that overlaps a range into pages of 4 KiB.</summary>
    private void SplitAll(AddressRange range, ref EditJournal journal)
    {
        for (ulong at = range.Start; at <= range.Last;)
        {
            EntryPosition found = EntryPosition.Find<TFormat, TSpace>(ref _space, root, at, 0);
            if (found.Level > 0 && TFormat.IsPresent(found.Entry))
            {
                PageResize<TFormat, TSpace>.Split(ref _space, found.EntryAddress, found.Level, ref journal);
                continue;
            }

            // Past the table of small pages, or past what is absent.
            at = (at | ((1UL << TFormat.ShiftOf(Math.Max(found.Level, 1))) - 1)) + 1;
        }
    }
}
