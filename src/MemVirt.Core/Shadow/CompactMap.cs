using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MemVirt.Core.Shadow;

/// <summary>
/// A word of 54 bits for each key of 40, in an open hash of twelve bytes a slot: 17 to 20 bytes an entry, however keys are spread, but for
/// the first. Linear probing; what is removed leaves no trace. Allocates only to grow, by a sixth.
/// </summary>
internal sealed class CompactMap
{
    private const int KeyBits = 40;
    private const int WordBits = 54;
    private const ulong WordMask = (1UL << WordBits) - 1;
    private const ulong Golden = 0x9E37_79B9_7F4A_7C15;
    private const int SmallestLength = 64;
    private Slot[] _slots = new Slot[SmallestLength];
    private int _limit = LimitOf(SmallestLength);

    /// <summary>Entries.</summary>
    internal int Count { get; private set; }

    /// <summary>Bytes in use.</summary>
    internal long Bytes => (long)_slots.Length * 12;

    /// <summary>The word of a key, or 0.</summary>
    internal ulong this[ulong key] => WordAt(Find(key));

    /// <summary>The key's slot, or the free one where it would go; good until the next change.</summary>
    internal int Find(ulong key)
    {
        int length = _slots.Length;
        int at = HomeOf(key, length);
        while (SlotAt(at) is { Word: not 0 } slot && slot.Key != key)
        {
            at = at + 1 == length ? 0 : at + 1;
        }

        return at;
    }

    /// <summary>The word in a slot that <see cref="Find"/> returned, or 0.</summary>
    internal ulong WordAt(int at) => SlotAt(at).Word;

    /// <summary>Sets the word, not 0, of a key in the slot that <see cref="Find"/> returned for it.</summary>
    internal void SetAt(int at, ulong key, ulong word)
    {
        Debug.Assert(key >> KeyBits == 0 && word >> WordBits == 0 && word != 0, "A page number, and an entry's address.");
        ref Slot slot = ref SlotAt(at);
        if (slot.Word == 0 && ++Count > _limit)
        {
            Grow();
            slot = ref SlotAt(Find(key));
        }

        slot = new Slot(key, word);
    }

    /// <summary>
    /// Frees a slot that holds a word, and moves back those behind it that this would cut off from where they are looked for.
    /// </summary>
    internal void RemoveAt(int hole)
    {
        Count--;
        int length = _slots.Length;
        for (int at = hole; ;)
        {
            at = at + 1 == length ? 0 : at + 1;
            Slot slot = SlotAt(at);
            if (slot.Word == 0)
            {
                break;
            }

            int home = HomeOf(slot.Key, length);
            int fromHome = at >= home ? at - home : at - home + length;
            int fromHole = at >= hole ? at - hole : at - hole + length;
            if (fromHome >= fromHole)
            {
                SlotAt(hole) = slot;
                hole = at;
            }
        }

        SlotAt(hole) = default;
    }

    private static int LimitOf(int length) => (int)((long)length * 7 / 10);

    private static int HomeOf(ulong key, int length) => (int)(((key * Golden) >> 32) * (uint)length >> 32);

    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every fill of a shadow entry: bench ShadowBenchmarks
    private ref Slot SlotAt(int at)
    {
        Debug.Assert((uint)at < (uint)_slots.Length, "Slots are counted round.");
        return ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_slots), at);
    }

    private void Grow()
    {
        Slot[] old = _slots;
        _slots = new Slot[old.Length + (old.Length / 6)];
        _limit = LimitOf(_slots.Length);
        foreach (Slot slot in old)
        {
            if (slot.Word != 0)
            {
                _slots[Find(slot.Key)] = slot;
            }
        }
    }

    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    private readonly struct Slot(ulong key, ulong word)
    {
        private readonly uint _keyLow = (uint)key;
        private readonly ulong _rest = (key >> 32 << WordBits) | word;

        internal ulong Key => (_rest >> WordBits << 32) | _keyLow;

        internal ulong Word => _rest & WordMask;
    }
}
