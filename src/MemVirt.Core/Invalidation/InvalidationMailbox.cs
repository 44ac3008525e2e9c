using System.Runtime.CompilerServices;
using MemVirt.Core.Sources;

namespace MemVirt.Core.Invalidation;

/// <summary>
/// What one virtual processor has yet to forget. Its thread calls <see cref="HasPending"/> at safe points: between accesses, when
/// the last one has been carried out. It takes no lock; senders are serialised by the bus.
/// </summary>
/// <remarks>
/// A ring of messages with one writer and one reader. Message n of the mailbox stands in slot n mod capacity. Where the ring is
/// full, or the processor parked, the message is not stored: instead all messages so far turn into one that forgets
/// everything. That can only forget more than was asked (Intel SDM Vol. 3A §4.10.4.2).
/// </remarks>
public sealed class InvalidationMailbox
{
    private readonly (TlbInvalidation Invalidation, long Number)[] _ring;
    private MailboxLines _lines;
    private long _takenNumber;

    internal InvalidationMailbox(int capacity)
    {
        _ring = new (TlbInvalidation, long)[capacity];
        _lines.Parked = 1;
    }

    /// <summary>Whether anything waits. One volatile read.</summary>
    public bool HasPending
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] // every safe point of a processor
        get => Volatile.Read(ref _lines.Posted) != _lines.Taken;
    }

    /// <summary>Whether the processor runs no guest code; senders do not wait for it then.</summary>
    public bool IsParked => Volatile.Read(ref _lines.Parked) != 0;

    /// <summary>
    /// Takes the oldest message to be applied; false where none waits. Call <see cref="Acknowledge"/> when all are.
    /// </summary>
    public bool TryTake(out TlbInvalidation invalidation)
    {
        long posted = Volatile.Read(ref _lines.Posted);
        if (posted == _lines.Taken)
        {
            invalidation = default;
            return false;
        }

        if (Volatile.Read(ref _lines.ForgetAllThrough) > _lines.Taken)
        {
            // Everything numbered so far came before this is applied, and it covers all of it.
            _takenNumber = Volatile.Read(ref _lines.LastNumber);
            _lines.Taken = posted;
            invalidation = TlbInvalidation.All;
            return true;
        }

        (invalidation, _takenNumber) = _ring[++_lines.Taken & (_ring.Length - 1)];
        return true;
    }

    /// <summary>The processor has applied every message it took.</summary>
    public void Acknowledge()
    {
        Volatile.Write(ref _lines.Applied, _lines.Taken);
        Volatile.Write(ref _lines.AppliedNumber, _takenNumber);
    }

    /// <summary>Applies what waits to the processor's MMU, and acknowledges it. No allocation.</summary>
    public void Service<TSource>(Mmu<TSource> mmu)
        where TSource : struct, ITranslationSource
    {
        ArgumentNullException.ThrowIfNull(mmu);
        while (TryTake(out TlbInvalidation invalidation))
        {
            mmu.Invalidate(in invalidation);
        }

        Acknowledge();
    }

    /// <summary>
    /// The processor stops using translations, as in a VM exit: from now on senders do not wait for it. Its last access has been
    /// carried out.
    /// </summary>
    public void Park() => Volatile.Write(ref _lines.Parked, 1);

    /// <summary>
    /// The processor will use translations again. It must take, apply and acknowledge what waits before it does, or call
    /// <see cref="Resume{TSource}"/>, which does all that.
    /// </summary>
    /// <remarks>
    /// The fence here pairs with the one in <c>Post</c>: either the sender sees that the processor runs and waits for it, or the
    /// processor sees the message.
    /// </remarks>
    public void Resume() => Interlocked.Exchange(ref _lines.Parked, 0);

    /// <summary>The processor uses translations again; its MMU has forgotten what it must.</summary>
    public void Resume<TSource>(Mmu<TSource> mmu)
        where TSource : struct, ITranslationSource
    {
        Resume();
        Service(mmu);
    }

    /// <summary>Called by one sender at a time.</summary>
    internal void Post(in TlbInvalidation invalidation, long number)
    {
        long next = _lines.Posted + 1;
        if (IsParked || next - Volatile.Read(ref _lines.Applied) > _ring.Length)
        {
            Volatile.Write(ref _lines.ForgetAllThrough, next);
        }
        else
        {
            _ring[next & (_ring.Length - 1)] = (invalidation, number);
        }

        Volatile.Write(ref _lines.LastNumber, number);
        Interlocked.Exchange(ref _lines.Posted, next);
    }

    /// <summary>Whether the message of a number was applied, or will be before the processor uses a translation again.</summary>
    internal bool HasForgotten(long number) => Volatile.Read(ref _lines.AppliedNumber) >= number || IsParked;
}
