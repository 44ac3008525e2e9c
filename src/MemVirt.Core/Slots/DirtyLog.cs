using System.Numerics;

namespace MemVirt.Core.Slots;

/// <summary>
/// Which 4 KiB pages of a slot were written since the last harvest: one bit a page, by the page's number within the slot, so that
/// it stays true when the slot moves. Any thread may mark at any time. Nothing allocates after construction.
/// </summary>
/// <param name="pages">Pages of the slot; at least 1.</param>
public sealed class DirtyLog(long pages)
{
    private readonly ulong[] _words = new ulong[(pages + 63) / 64];

    /// <summary>Pages of the slot.</summary>
    public long Pages => pages;

    /// <summary>Words of 64 pages each that a harvest fills.</summary>
    public int WordCount => _words.Length;

    /// <summary>
    /// Marks a page. Software that stores to the page itself marks it after the store: of a mark that comes before it, a harvest
    /// in
    /// between would leave the store to nobody.
    /// </summary>
    /// <remarks>
    /// The atomic OR is also the fence that makes the store visible before the mark is; to look first whether the bit is set
    /// already would save the OR and lose that.
    /// </remarks>
    /// <exception cref="IndexOutOfRangeException">The slot has no such page.</exception>
    public void Mark(long page) => Interlocked.Or(ref _words[page >> 6], 1UL << (int)(page & 63));

    /// <summary>Marks some pages from one on.</summary>
    public void Mark(long page, long count)
    {
        for (long end = page + count; page < end; page++)
        {
            Mark(page);
        }
    }

    /// <summary>Takes the marks and clears them, each word atomically, and returns how many there were.</summary>
    /// <param name="destination">Receives the marks; at least <see cref="WordCount"/> words.</param>
    /// <exception cref="ArgumentException">The destination is too short.</exception>
    public long Harvest(Span<ulong> destination)
    {
        if (destination.Length < _words.Length)
        {
            SlotErrors.BitmapTooShort(destination.Length, _words.Length);
        }

        long marked = 0;
        for (int word = 0; word < _words.Length; word++)
        {
            ulong taken = Volatile.Read(ref _words[word]) == 0 ? 0 : Interlocked.Exchange(ref _words[word], 0);
            destination[word] = taken;
            marked += BitOperations.PopCount(taken);
        }

        return marked;
    }
}
