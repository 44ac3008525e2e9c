using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;

namespace MemVirt.Core.Slots;

/// <summary>Takes or gives one bit of every leaf.</summary>
internal readonly struct SetBit(ulong bit, bool isOn) : ILeafEdit
{
    public static bool Removes => false;

    public ulong Change(ulong leaf, int level) => isOn ? leaf | bit : leaf & ~bit;

    public void Changed(ulong address, ulong before, int level)
    {
        // What it was is of no interest.
    }
}

/// <summary>Marks the pages of dirty leaves.</summary>
internal readonly struct DirtyCollector<TFormat>(MemorySlot slot)
    where TFormat : struct, IPageTableFormat
{
    internal void Collect(ulong address, ulong leaf, int level)
    {
        if (slot.Logging == DirtyLogging.DirtyBits && (leaf & TFormat.DirtyBit) != 0)
        {
            slot.Log?.Mark(slot.PageOf(address), 1L << (TFormat.ShiftOf(level) - 12));
        }
    }
}

/// <summary>Moves dirty bits from the leaves to the log.</summary>
internal readonly struct TakeDirty<TFormat>(MemorySlot slot) : ILeafEdit
    where TFormat : struct, IPageTableFormat
{
    public static bool Removes => false;

    public ulong Change(ulong leaf, int level) => leaf & ~TFormat.DirtyBit;

    public void Changed(ulong address, ulong before, int level)
        => new DirtyCollector<TFormat>(slot).Collect(address, before, level);
}

/// <summary>Unmaps, and keeps the dirty bits of what goes in the log.</summary>
internal readonly struct RemoveSlotLeaf<TFormat>(MemorySlot slot) : ILeafEdit
    where TFormat : struct, IPageTableFormat
{
    public static bool Removes => true;

    public ulong Change(ulong leaf, int level) => 0;

    public void Changed(ulong address, ulong before, int level)
        => new DirtyCollector<TFormat>(slot).Collect(address, before, level);
}
