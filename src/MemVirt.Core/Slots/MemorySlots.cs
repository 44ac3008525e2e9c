using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using MemVirt.Core.Addresses;

namespace MemVirt.Core.Slots;

/// <summary>
/// A guest's memory slots. Every change swaps one immutable snapshot for another; readers take the current one and never lock.
/// Where a second stage maps the slots, change them through its <see cref="SlotPager{TFormat,TSpace}"/>.
/// </summary>
public sealed class MemorySlots
{
    /// <summary>The most slots of a guest.</summary>
    public const int MaxSlots = 32_764;

    private readonly Lock _changes = new();
    private MemorySlotSnapshot _current = new([], 0);

    /// <summary>The slots as they are now.</summary>
    public MemorySlotSnapshot Current => Volatile.Read(ref _current);

    /// <summary>
    /// Grows with every change: sample it before looking something up, and compare it before keeping what was found.
    /// </summary>
    public long Generation => Current.Generation;

    /// <summary>The slot that holds a guest-physical address.</summary>
    public bool TryFind(ulong gpa, [NotNullWhen(true)] out MemorySlot? slot) => Current.TryFind(gpa, out slot);

    /// <summary>Adds a slot.</summary>
    /// <exception cref="ArgumentException">It is misaligned, empty or past 52 bits, its name is taken, or it overlaps
    /// another.</exception>
    public void Add(MemorySlot slot)
    {
        ArgumentNullException.ThrowIfNull(slot);
        lock (_changes)
        {
            ImmutableArray<MemorySlot> slots = Current.Slots;
            if (Current.TryGet(slot.Id, out MemorySlot? taken))
            {
                SlotErrors.IdTaken(taken);
            }

            if (slots.Length == MaxSlots)
            {
                SlotErrors.TooMany(MaxSlots);
            }

            Publish(Insert(slots, slot));
        }
    }

    /// <summary>Removes a slot and returns it.</summary>
    /// <exception cref="ArgumentException">There is no such slot.</exception>
    public MemorySlot Remove(int id)
    {
        lock (_changes)
        {
            MemorySlot slot = Get(id);
            Publish(Current.Slots.Remove(slot));
            return slot;
        }
    }

    /// <summary>Moves a slot and returns it as it is now.</summary>
    /// <exception cref="ArgumentException">There is no such slot, or it would be misaligned, past 52 bits, or overlap
    /// another.</exception>
    public MemorySlot Move(int id, GuestPhysicalAddress start) => Replace(id, slot => slot with { Start = start });

    /// <summary>Changes whether a slot is read-only and returns it as it is now.</summary>
    /// <exception cref="ArgumentException">There is no such slot.</exception>
    public MemorySlot SetReadOnly(int id, bool isReadOnly) => Replace(id, slot => slot with { IsReadOnly = isReadOnly });

    /// <summary>
    /// Changes how a slot's writes are logged and returns it as it is now. A log is made when logging starts, and dropped when it
    /// ends.
    /// </summary>
    /// <exception cref="ArgumentException">There is no such slot.</exception>
    public MemorySlot SetLogging(int id, DirtyLogging logging)
        => Replace(id, slot => slot with
        {
            Logging = logging,
            Log = logging == DirtyLogging.Off ? null : slot.Log ?? new DirtyLog(slot.Pages),
        });

    /// <summary>The slot of a name.</summary>
    /// <exception cref="ArgumentException">There is no such slot.</exception>
    public MemorySlot Get(int id)
    {
        if (!Current.TryGet(id, out MemorySlot? slot))
        {
            SlotErrors.NoSuchSlot(id);
        }

        return slot;
    }

    private static ImmutableArray<MemorySlot> Insert(ImmutableArray<MemorySlot> slots, MemorySlot slot)
    {
        RequireValid(slot);
        int place = 0;
        foreach (MemorySlot other in slots)
        {
            if (slot.Range.Start <= other.Range.Last && other.Range.Start <= slot.Range.Last)
            {
                SlotErrors.Overlap(slot, other);
            }

            place += other.Range.Start < slot.Range.Start ? 1 : 0;
        }

        return slots.Insert(place, slot);
    }

    private static void RequireValid(MemorySlot slot)
    {
        ulong pageMask = PageSize.Size4K.SizeBytes() - 1;
        if (((slot.Start.Value | slot.LengthBytes | slot.Backing.Value) & pageMask) != 0 || slot.LengthBytes == 0)
        {
            SlotErrors.Misaligned(slot);
        }

        ulong most = AddressBits.Mask52 + 1 - Math.Max(slot.Start.Value, slot.Backing.Value);
        if (slot.LengthBytes > most)
        {
            SlotErrors.TooLong(slot);
        }
    }

    private MemorySlot Replace(int id, Func<MemorySlot, MemorySlot> change)
    {
        lock (_changes)
        {
            MemorySlot slot = Get(id);
            MemorySlot changed = change(slot);
            Publish(Insert(Current.Slots.Remove(slot), changed));
            return changed;
        }
    }

    private void Publish(ImmutableArray<MemorySlot> slots)
        => Volatile.Write(ref _current, new MemorySlotSnapshot(slots, Current.Generation + 1));
}
