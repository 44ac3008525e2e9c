namespace MemVirt.Core.Tlb;

/// <summary>
/// Gives each context a small number that fits a tag, and a new one when it is flushed: entries under the old number can never be
/// found again, so a flush costs the same whatever the size of the TLB. A flush of many contexts only notes the time; whoever was
/// numbered before it is numbered anew when next asked for. No call allocates.
/// </summary>
public sealed class ContextTable
{
    /// <summary>Contexts that can be known at one time; one more forgets them all.</summary>
    public const int Capacity = 1 << 10;

    private const int Slots = Capacity * 2;
    private readonly Slot[] _slots = new Slot[Slots];
    private readonly FlushTimes _virtualProcessors = new(Capacity);
    private readonly FlushTimes _secondStages = new(Capacity);
    private int _known;
    private uint _lastNumber;
    private ulong _now = 1;
    private ulong _everythingFlushed;
    private ulong _allButZeroFlushed;

    /// <summary>
    /// Whether numbers have been started over: the caller then clears every structure tagged with them, and acknowledges by
    /// <see cref="AcknowledgeRestart"/>.
    /// </summary>
    public bool Restarted { get; private set; }

    /// <summary>As long as this stays, so do all numbers handed out.</summary>
    public ulong Version => _now;

    /// <summary>The number of a context, and that of its entries of paging-structure caches.</summary>
    public (uint Number, uint TableNumber) NumbersOf(ContextKey key)
    {
        ref Slot slot = ref SlotOf(key);
        return (slot.Number, slot.TableNumber);
    }

    /// <summary>The number of a context, from 1 to <see cref="TlbTag.MaxContext"/>.</summary>
    public uint NumberOf(ContextKey key) => SlotOf(key).Number;

    /// <summary>The number that the context's entries of paging-structure caches are tagged with.</summary>
    public uint TableNumberOf(ContextKey key) => SlotOf(key).TableNumber;

    /// <summary>Forgets a context: it has other numbers when it is next asked for.</summary>
    public void Forget(ContextKey key)
    {
        ref Slot slot = ref _slots[Find(key.Value)];
        _now++;
        if (slot.Key != 0)
        {
            slot.Born = 0;
        }
    }

    /// <summary>Forgets what paging-structure caches hold of a context.</summary>
    public void ForgetTables(ContextKey key)
    {
        ref Slot slot = ref SlotOf(key);
        uint number = NextNumber();
        _now++;
        if (slot.Key != 0)
        {
            slot.TableNumber = number;
        }
    }

    /// <summary>Forgets every context of a VPID or ASID.</summary>
    public void ForgetVirtualProcessor(ushort virtualProcessor, bool includesGlobals)
    {
        _virtualProcessors.Set(virtualProcessor, ++_now, includesGlobals);
        if (_virtualProcessors.IsFull)
        {
            ForgetAll();
        }
    }

    /// <summary>Forgets every context of every VPID but 0.</summary>
    public void ForgetAllButZero() => _allButZeroFlushed = ++_now;

    /// <summary>Forgets every context of a second stage.</summary>
    public void ForgetSecondStage(ushort secondStage)
    {
        _secondStages.Set(secondStage, ++_now, includesGlobals: true);
        if (_secondStages.IsFull)
        {
            ForgetAll();
        }
    }

    /// <summary>Forgets every context.</summary>
    public void ForgetAll()
    {
        _everythingFlushed = ++_now;
        if (_virtualProcessors.IsFull || _secondStages.IsFull)
        {
            _virtualProcessors.Clear();
            _secondStages.Clear();
        }
    }

    /// <summary>The structures have been cleared.</summary>
    public void AcknowledgeRestart() => Restarted = false;

    private ref Slot SlotOf(ContextKey key)
    {
        ref Slot slot = ref _slots[Find(key.Value)];
        if (slot.Key == 0 && _known == Capacity)
        {
            Array.Clear(_slots);
            _known = 0;
            slot = ref _slots[Find(key.Value)];
        }

        if (slot.Key != 0 && slot.Born > LastFlushOf(key))
        {
            return ref slot;
        }

        uint number = NextNumber();
        uint tableNumber = NextNumber();
        if (tableNumber < number)
        {
            // Numbers were started over in between, and the table was emptied with that.
            (number, tableNumber) = (tableNumber, NextNumber());
        }

        if (_known == 0)
        {
            slot = ref _slots[Find(key.Value)];
        }

        _known += slot.Key == 0 ? 1 : 0;
        slot = new Slot { Key = key.Value, Number = number, TableNumber = tableNumber, Born = ++_now };
        return ref slot;
    }

    private ulong LastFlushOf(ContextKey key)
    {
        ulong last = Math.Max(_everythingFlushed, _virtualProcessors.Of(key.VirtualProcessor, key.IsGlobal));
        last = Math.Max(last, _secondStages.Of(key.SecondStage, key.IsGlobal));
        return key.VirtualProcessor == 0 ? last : Math.Max(last, _allButZeroFlushed);
    }

    private int Find(ulong key)
    {
        int slot = (int)((key * 0x9E37_79B9_7F4A_7C15UL) >> 53);
        while (_slots[slot].Key != 0 && _slots[slot].Key != key)
        {
            slot = (slot + 1) & (Slots - 1);
        }

        return slot;
    }

    private uint NextNumber()
    {
        if (_lastNumber == TlbTag.MaxContext)
        {
            Array.Clear(_slots);
            _known = 0;
            Restarted = true;
            _lastNumber = 0;
        }

        return ++_lastNumber;
    }

    private struct Slot
    {
        internal ulong Key;
        internal uint Number;
        internal uint TableNumber;

        /// <summary>When it was numbered; it counts only where that is after the last flush that covers it.</summary>
        internal ulong Born;
    }
}
