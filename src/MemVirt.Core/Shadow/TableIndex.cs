namespace MemVirt.Core.Shadow;

/// <summary>
/// Finds a shadow page by the frame of its table: an open hash of indices alone, as the pages hold the frames; 5 to 5.6 bytes a page.
/// Linear probing; what is removed leaves no trace. Allocates only to grow, by an eighth.
/// </summary>
internal sealed class TableIndex
{
    private const int None = -1;
    private const ulong Golden = 0x9E37_79B9_7F4A_7C15;
    private int[] _slots;
    private int _count;
    private int _limit;

    internal TableIndex() => _slots = Slots(64);

    /// <summary>Bytes in use.</summary>
    internal long Bytes => (long)_slots.Length * sizeof(int);

    /// <summary>The page whose shadow table lies in a frame, or −1.</summary>
    internal int Find(ShadowPage[] pages, ulong frame) => _slots[SlotOf(pages, frame)];

    /// <summary>Adds a page whose table's frame is not here.</summary>
    internal void Add(ShadowPage[] pages, int index)
    {
        if (++_count > _limit)
        {
            Grow(pages);
        }

        _slots[SlotOf(pages, pages[index].TableFrame)] = index;
    }

    /// <summary>
    /// Removes a page that is here, and moves back those behind it that this would cut off from where they are looked for.
    /// </summary>
    internal void Remove(ShadowPage[] pages, int index)
    {
        _count--;
        int length = _slots.Length;
        int hole = SlotOf(pages, pages[index].TableFrame);
        for (int at = After(hole); _slots[at] >= 0; at = After(at))
        {
            int home = HomeOf(pages[_slots[at]].TableFrame, length);
            int fromHome = at >= home ? at - home : at - home + length;
            int fromHole = at >= hole ? at - hole : at - hole + length;
            if (fromHome >= fromHole)
            {
                _slots[hole] = _slots[at];
                hole = at;
            }
        }

        _slots[hole] = None;
    }

    private static int HomeOf(ulong frame, int length) => (int)(((frame * Golden) >> 32) * (uint)length >> 32);

    private int After(int at) => at + 1 == _slots.Length ? 0 : at + 1;

    /// <summary>The slot of a frame's page, or the free one where it would go.</summary>
    private int SlotOf(ShadowPage[] pages, ulong frame)
    {
        int at = HomeOf(frame, _slots.Length);
        while (_slots[at] >= 0 && pages[_slots[at]].TableFrame != frame)
        {
            at = After(at);
        }

        return at;
    }

    private int[] Slots(int length)
    {
        _limit = (int)((long)length * 4 / 5);
        var slots = new int[length];
        Array.Fill(slots, None);
        return slots;
    }

    private void Grow(ShadowPage[] pages)
    {
        int[] old = _slots;
        _slots = Slots(old.Length + (old.Length / 8));
        foreach (int index in old)
        {
            if (index >= 0)
            {
                _slots[SlotOf(pages, pages[index].TableFrame)] = index;
            }
        }
    }
}
