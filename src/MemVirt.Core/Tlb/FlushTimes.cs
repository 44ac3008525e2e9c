namespace MemVirt.Core.Tlb;

/// <summary>
/// When each of many 16-bit names was last flushed, with global translations and but for them, for as many as were ever; the others
/// never were.
/// </summary>
internal sealed class FlushTimes(int capacity)
{
    private readonly Slot[] _slots = new Slot[capacity * 2];
    private int _count;

    /// <summary>Whether there is no room for another name.</summary>
    internal bool IsFull => _count == capacity;

    internal ulong Of(ushort name, bool isGlobal)
    {
        if (_count == 0)
        {
            return 0;
        }

        ref Slot slot = ref Find(name);
        return isGlobal ? slot.OfGlobals : slot.OfOthers;
    }

    internal void Set(ushort name, ulong time, bool includesGlobals)
    {
        ref Slot slot = ref Find(name);
        _count += slot.Key == 0 ? 1 : 0;
        slot.Key = name + 1u;
        slot.OfOthers = time;
        slot.OfGlobals = includesGlobals ? time : slot.OfGlobals;
    }

    internal void Clear()
    {
        Array.Clear(_slots);
        _count = 0;
    }

    private ref Slot Find(ushort name)
    {
        int mask = _slots.Length - 1;
        int slot = (int)((name * 0x9E37_79B1u) >> 16) & mask;
        while (_slots[slot].Key != 0 && _slots[slot].Key != name + 1u)
        {
            slot = (slot + 1) & mask;
        }

        return ref _slots[slot];
    }

    private struct Slot
    {
        /// <summary>The name and one; 0 where nothing stands here.</summary>
        internal uint Key;
        internal ulong OfOthers;
        internal ulong OfGlobals;
    }
}
