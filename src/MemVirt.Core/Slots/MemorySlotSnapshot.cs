using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace MemVirt.Core.Slots;

/// <summary>All slots at one moment, in the order of their addresses. It never changes, so that reading takes no lock.</summary>
public sealed class MemorySlotSnapshot
{
    internal MemorySlotSnapshot(ImmutableArray<MemorySlot> slots, long generation) => (Slots, Generation) = (slots, generation);

    /// <summary>The slots, by ascending address; none overlaps another.</summary>
    public ImmutableArray<MemorySlot> Slots { get; }

    /// <summary>Larger in every later snapshot.</summary>
    public long Generation { get; }

    /// <summary>The slot that holds a guest-physical address. A binary search, no allocation.</summary>
    public bool TryFind(ulong gpa, [NotNullWhen(true)] out MemorySlot? slot)
    {
        int low = 0;
        int end = Slots.Length;
        while (low < end)
        {
            int middle = (low + end) >>> 1;
            slot = Slots[middle];
            if (slot.Range.Contains(gpa))
            {
                return true;
            }

            (low, end) = gpa < slot.Start.Value ? (low, middle) : (middle + 1, end);
        }

        slot = null;
        return false;
    }

    /// <summary>The slot of a name. Looks at every slot.</summary>
    public bool TryGet(int id, [NotNullWhen(true)] out MemorySlot? slot)
    {
        foreach (MemorySlot one in Slots)
        {
            if (one.Id == id)
            {
                slot = one;
                return true;
            }
        }

        slot = null;
        return false;
    }
}
