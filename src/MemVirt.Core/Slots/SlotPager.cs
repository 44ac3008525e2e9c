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
    private readonly SlotTables<TFormat, TSpace> _tables = new(space, root, largest);

    /// <summary>The slots.</summary>
    public MemorySlots Slots => slots;

    /// <summary>Adds a slot; its pages are mapped as they are used. Nothing need be forgotten.</summary>
    /// <exception cref="ArgumentException">As <see cref="MemorySlots.Add"/>; or the second stage does not reach so
    /// far.</exception>
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
            return _tables.Unmap(slots.Remove(id));
        }
    }

    /// <summary>
    /// Moves a slot to another guest-physical address, its contents, its log and what that holds with it. Its pages are mapped
    /// there as they are used; stale translations of the old address write to the same memory until they are acknowledged.
    /// </summary>
    /// <exception cref="ArgumentException">As <see cref="MemorySlots.Move"/>; or the second stage does not reach so
    /// far.</exception>
    public PendingInvalidation Move(int id, GuestPhysicalAddress start)
    {
        lock (_edits)
        {
            MemorySlot before = slots.Get(id);
            RequireReach(before with { Start = start });
            slots.Move(id, start);
            return _tables.Unmap(before);
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
                _tables.Edit(slot.Range, new SetBit(LeafBits<TFormat>.WriteBit, isOn: false), ref journal);
            }

            return journal.Pending(slot.Range);
        }
    }

    /// <summary>
    /// Starts to log a slot's writes: those that begin after the invalidation was acknowledged. Copy everything once then,
    /// harvest
    /// from there on. A slot that logs already goes on, in the new way, with what is marked.
    /// </summary>
    /// <remarks>
    /// By write protection, large pages lose their right to write as a whole and are split when one is written, so that what is
    /// only
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
                _tables.Edit(slot.Range, new TakeDirty<TFormat>(before), ref journal);
            }

            switch (logging)
            {
                case DirtyLogging.WriteProtection:
                    _tables.Edit(slot.Range, new SetBit(LeafBits<TFormat>.WriteBit, isOn: false), ref journal);
                    break;
                case DirtyLogging.DirtyBits:
                    _tables.SplitAll(slot.Range, ref journal);
                    _tables.Edit(slot.Range, new SetBit(TFormat.DirtyBit, isOn: false), ref journal);
                    break;
            }

            return journal.Pending(slot.Range);
        }
    }

    /// <summary>Stops logging a slot's writes. Pages become writable again when a write faults, or by <see cref="Recover"/>.</summary>
    /// <exception cref="ArgumentException">There is no such slot.</exception>
    public void Disarm(int id)
    {
        lock (_edits)
        {
            slots.SetLogging(id, DirtyLogging.Off);
        }
    }

    /// <summary>
    /// Gives back what logging took from a slot that logs no more: the right to write, and large pages where all their pieces are
    /// mapped.
    /// </summary>
    /// <exception cref="ArgumentException">There is no such slot.</exception>
    /// <exception cref="InvalidOperationException">The slot logs its writes.</exception>
    public PendingInvalidation Recover(int id)
    {
        lock (_edits)
        {
            MemorySlot slot = slots.Get(id);
            if (slot.Logging != DirtyLogging.Off)
            {
                SlotErrors.StillLogging(slot);
            }

            var journal = new EditJournal();
            if (!slot.IsReadOnly)
            {
                _tables.Edit(slot.Range, new SetBit(LeafBits<TFormat>.WriteBit, isOn: true), ref journal);
            }

            _tables.MergeAll(slot.Range, ref journal);
            return journal.Pending(slot.Range);
        }
    }

    /// <summary>
    /// Takes a slot's dirty pages and arms them again. Read the pages when the invalidation has been acknowledged, not before:
    /// until
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
                _tables.Edit(slot.Range, new TakeDirty<TFormat>(slot), ref journal);
            }

            count = log.Harvest(dirtyPages);
            if (count != 0)
            {
                // Also where no leaf changes here: a mark may come from a page whose unmapping is not acknowledged yet.
                journal.Force();
            }

            if (slot.Logging == DirtyLogging.WriteProtection)
            {
                _tables.Protect(slot, dirtyPages[..log.WordCount], ref journal);
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

            EntryPosition found = _tables.Find(gpa);
            if (!TFormat.IsPresent(found.Entry))
            {
                pending = _tables.Map(slot, gpa, found.Level, isWrite);
                return SlotFault.Mapped;
            }

            if (!isWrite || (found.Entry & LeafBits<TFormat>.WriteBit) != 0)
            {
                return SlotFault.Settled;
            }

            pending = _tables.MakeWritable(slot, gpa, found.Level);
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
}
