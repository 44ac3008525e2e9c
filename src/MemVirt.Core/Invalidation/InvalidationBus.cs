using System.Diagnostics;
using System.Numerics;

namespace MemVirt.Core.Invalidation;

/// <summary>
/// Shoot-downs between virtual processors: whoever edits shared tables sends what must be forgotten to a mailbox of each, and
/// waits until all that run have forgotten it. Nothing allocates after construction; a processor never takes a lock.
/// </summary>
/// <remarks>
/// A sender must not wait while it is itself a running processor of the bus, nor while it holds a lock that a running
/// processor waits for: such a processor parks first (<see cref="InvalidationMailbox.Park"/>), as one does in a VM exit.
/// </remarks>
public sealed class InvalidationBus
{
    /// <summary>The most virtual processors of a bus.</summary>
    public const int MaxProcessors = 64;

    private readonly InvalidationMailbox[] _mailboxes;
    private readonly Lock _senders = new();
    private long _lastNumber;

    /// <summary>A bus for a fixed number of virtual processors, all parked.</summary>
    /// <param name="processors">1 to <see cref="MaxProcessors"/>.</param>
    /// <param name="mailboxCapacity">Messages a mailbox holds before they turn into one that forgets everything; a power of
    /// two.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of range.</exception>
    public InvalidationBus(int processors, int mailboxCapacity = 64)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(processors, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(processors, MaxProcessors);
        ArgumentOutOfRangeException.ThrowIfLessThan(mailboxCapacity, 1);
        ArgumentOutOfRangeException.ThrowIfNotEqual(BitOperations.IsPow2(mailboxCapacity), true, nameof(mailboxCapacity));
        _mailboxes = new InvalidationMailbox[processors];
        for (int processor = 0; processor < processors; processor++)
        {
            _mailboxes[processor] = new InvalidationMailbox(mailboxCapacity);
        }
    }

    /// <summary>How many virtual processors it serves.</summary>
    public int Processors => _mailboxes.Length;

    /// <summary>All of its virtual processors, one bit each.</summary>
    public ulong AllProcessors => ulong.MaxValue >> (MaxProcessors - _mailboxes.Length);

    /// <summary>The mailbox of a virtual processor, for that processor's thread.</summary>
    public InvalidationMailbox this[int processor] => _mailboxes[processor];

    /// <summary>Sends to every virtual processor.</summary>
    public InvalidationTicket Send(in TlbInvalidation invalidation) => Send(in invalidation, AllProcessors);

    /// <summary>
    /// Sends to some virtual processors, one bit each; bits of processors that do not exist are ignored. Never waits for them.
    /// </summary>
    public InvalidationTicket Send(in TlbInvalidation invalidation, ulong processors)
    {
        processors &= AllProcessors;
        lock (_senders)
        {
            long number = ++_lastNumber;
            for (int processor = 0; processor < _mailboxes.Length; processor++)
            {
                if ((processors & (1UL << processor)) != 0)
                {
                    _mailboxes[processor].Post(in invalidation, number);
                }
            }

            return new InvalidationTicket(number, processors);
        }
    }

    /// <summary>Whether every processor that was told has forgotten, or is parked and will before it runs.</summary>
    public bool IsAcknowledged(InvalidationTicket ticket)
    {
        for (int processor = 0; processor < _mailboxes.Length; processor++)
        {
            if ((ticket.Processors & (1UL << processor)) != 0 && !_mailboxes[processor].HasForgotten(ticket.Number))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Waits until <see cref="IsAcknowledged"/>: spins, then yields. False where that took longer than
    /// <paramref name="timeout"/>, or was cancelled.
    /// </summary>
    public bool WaitForAcknowledgement(InvalidationTicket ticket, TimeSpan timeout, CancellationToken cancellation = default)
    {
        long start = Stopwatch.GetTimestamp();
        var spin = default(SpinWait);
        while (!IsAcknowledged(ticket))
        {
            bool late = timeout != Timeout.InfiniteTimeSpan && Stopwatch.GetElapsedTime(start) > timeout;
            if (late || cancellation.IsCancellationRequested)
            {
                return false;
            }

            spin.SpinOnce();
        }

        return true;
    }
}
