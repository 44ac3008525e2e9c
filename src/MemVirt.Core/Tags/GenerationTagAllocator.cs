namespace MemVirt.Core.Tags;

/// <summary>
/// Hands out VPIDs or ASIDs by generations, as KVM's SVM code, Xen and Linux on arm64 do. Within a generation a tag goes to one
/// holder only; when all are gone the next generation begins, every holder has lost its tag at once, and each TLB is emptied
/// before it is next used. To forget everything is therefore to begin a generation: O(1), whatever the number of holders.
/// </summary>
/// <remarks>
/// All members may be called by any thread; a call allocates nothing and takes no lock. One allocator serves one TLB, or several
/// among which its virtual processors move. A virtual processor that runs when a generation ends goes on with its old tag in its
/// TLB until it acquires again: whoever needs the flush to have taken effect kicks it, as after any remote flush (Intel SDM Vol.
/// 3A §4.10.5). For the same reason one TLB is used by one virtual processor at a time.
/// </remarks>
public sealed class GenerationTagAllocator
{
    private const int TagBits = 16;
    private readonly ushort _beforeFirst;
    private readonly ushort _last;

    // Generation << 16 | tag handed out last: one word, so that a compare-exchange changes both. 2^48 generations do not run out.
    private ulong _state;

    /// <summary>An allocator of the tags from <paramref name="firstTag"/> to <paramref name="lastTag"/>.</summary>
    /// <param name="firstTag">
    /// At least 1: VPID 0 and ASID 0 are the host's (Intel SDM Vol. 3C §28.1; AMD APM Vol. 2 §15.16).
    /// </param>
    /// <param name="lastTag">At most 65,535, the widest VPID; on AMD one below CPUID 8000000AH:EBX.</param>
    /// <exception cref="ArgumentOutOfRangeException">A bound is outside of its range.</exception>
    public GenerationTagAllocator(int firstTag, int lastTag)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(firstTag, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(lastTag, firstTag);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(lastTag, (int)ushort.MaxValue);
        _beforeFirst = (ushort)(firstTag - 1);
        _last = (ushort)lastTag;
        _state = StartOf(1);
    }

    /// <summary>The generation at hand, from 1 up. Another thread may end it at any moment.</summary>
    public ulong Generation => Volatile.Read(ref _state) >> TagBits;

    /// <summary>A tag for a virtual processor that has a TLB of its own: the holder's generation is the TLB's.</summary>
    public TagGrant Acquire(ref TagHolder holder)
    {
        ulong before = holder.Generation;
        Renew(ref holder);
        return new TagGrant(holder.Tag, holder.Generation != before);
    }

    /// <summary>
    /// A tag for a virtual processor that is about to run on a TLB on which others take their turns: the first of them in a
    /// generation is told to flush.
    /// </summary>
    /// <param name="holder">The virtual processor's.</param>
    /// <param name="tlb">The TLB's, used by one thread at a time. Updated: the caller does flush when told to.</param>
    public TagGrant Acquire(ref TagHolder holder, ref TlbGeneration tlb)
    {
        Renew(ref holder);
        bool flushAll = tlb.Value != holder.Generation;
        tlb.Value = holder.Generation;
        return new TagGrant(holder.Tag, flushAll);
    }

    /// <summary>Begins a generation: every translation under every tag is forgotten when its user next acquires. O(1).</summary>
    public void InvalidateAll()
    {
        ulong state = Volatile.Read(ref _state);
        while (true)
        {
            ulong found = Interlocked.CompareExchange(ref _state, StartOf((state >> TagBits) + 1), state);
            if (found == state)
            {
                return;
            }

            state = found;
        }
    }

    private void Renew(ref TagHolder holder)
    {
        ulong state = Volatile.Read(ref _state);
        if (holder.Generation == state >> TagBits && holder.Tag != 0)
        {
            return;
        }

        while (true)
        {
            ulong from = (ushort)state == _last ? StartOf((state >> TagBits) + 1) : state;
            ulong found = Interlocked.CompareExchange(ref _state, from + 1, state);
            if (found == state)
            {
                holder.Generation = from >> TagBits;
                holder.Tag = (ushort)(from + 1);
                return;
            }

            state = found;
        }
    }

    private ulong StartOf(ulong generation) => (generation << TagBits) | _beforeFirst;
}
