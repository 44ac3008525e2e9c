using MemVirt.Core.Addresses;
using MemVirt.Core.Invalidation;

namespace MemVirt.Core.Tests.Invalidations;

public class InvalidationBusTests
{
    private static readonly TimeSpan Briefly = TimeSpan.FromMilliseconds(5);

    [Fact]
    public void Every_processor_gets_every_message_in_order_and_the_sender_learns_when_all_have_applied_it()
    {
        var bus = new InvalidationBus(2);
        bus[0].Resume();
        bus[1].Resume();
        bus.Send(TlbInvalidation.OfContext(1, 2));
        InvalidationTicket last = bus.Send(TlbInvalidation.OfVirtualProcessor(3));
        for (int processor = 0; processor < 2; processor++)
        {
            Assert.False(bus.WaitForAcknowledgement(last, Briefly));
            Assert.True(bus[processor].HasPending);
            Assert.True(bus[processor].TryTake(out TlbInvalidation first));
            Assert.True(bus[processor].TryTake(out TlbInvalidation second));
            Assert.False(bus[processor].TryTake(out _));
            Assert.Equal((TlbInvalidation.OfContext(1, 2), TlbInvalidation.OfVirtualProcessor(3)), (first, second));
            Assert.False(bus.IsAcknowledged(last));
            bus[processor].Acknowledge();
        }

        Assert.True(bus.WaitForAcknowledgement(last, Briefly));
        Assert.False(bus[0].HasPending);
    }

    [Fact]
    public void Only_the_processors_named_are_told_and_waited_for()
    {
        var bus = new InvalidationBus(3);
        for (int processor = 0; processor < 3; processor++)
        {
            bus[processor].Resume();
        }

        InvalidationTicket toSecond = bus.Send(TlbInvalidation.All, 0b010);
        InvalidationTicket toNobody = bus.Send(TlbInvalidation.All, 0);
        Assert.False(bus[0].HasPending);
        Assert.True(bus.IsAcknowledged(toNobody));
        Assert.False(bus.IsAcknowledged(toSecond));
        bus[1].TryTake(out TlbInvalidation taken);
        bus[1].Acknowledge();
        Assert.Equal(TlbInvalidation.All, taken);
        Assert.True(bus.IsAcknowledged(toSecond));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void More_messages_than_a_mailbox_holds_become_one_that_forgets_everything(int capacity)
    {
        var bus = new InvalidationBus(1, capacity);
        bus[0].Resume();
        InvalidationTicket last = default;
        for (int message = 0; message <= capacity; message++)
        {
            last = bus.Send(TlbInvalidation.OfContext(0, (ushort)message));
        }

        Assert.True(bus[0].TryTake(out TlbInvalidation taken));
        Assert.Equal(TlbInvalidation.All, taken);
        Assert.False(bus[0].TryTake(out _));
        bus[0].Acknowledge();
        Assert.True(bus.IsAcknowledged(last));
        bus.Send(TlbInvalidation.OfContext(0, 77));
        Assert.True(bus[0].TryTake(out taken));
        Assert.Equal(TlbInvalidation.OfContext(0, 77), taken);
    }

    [Fact]
    public void A_mailbox_that_is_just_full_loses_no_message()
    {
        var bus = new InvalidationBus(1, 4);
        bus[0].Resume();
        for (ushort round = 0; round < 3; round++)
        {
            for (ushort message = 0; message < 4; message++)
            {
                bus.Send(TlbInvalidation.OfContext(round, message));
            }

            for (ushort message = 0; message < 4; message++)
            {
                Assert.True(bus[0].TryTake(out TlbInvalidation taken));
                Assert.Equal(TlbInvalidation.OfContext(round, message), taken);
            }

            bus[0].Acknowledge();
        }
    }

    [Fact]
    public void A_parked_processor_holds_nobody_up_and_forgets_everything_when_it_resumes()
    {
        var bus = new InvalidationBus(1);
        Assert.True(bus[0].IsParked);
        InvalidationTicket ticket = bus.Send(TlbInvalidation.OfContext(0, 1));
        Assert.True(bus.WaitForAcknowledgement(ticket, Timeout.InfiniteTimeSpan));
        bus[0].Resume();
        Assert.True(bus[0].HasPending);
        Assert.True(bus[0].TryTake(out TlbInvalidation taken));
        Assert.Equal(TlbInvalidation.All, taken);
        bus[0].Acknowledge();
        bus[0].Park();
        bus[0].Resume();
        Assert.False(bus[0].HasPending);
    }

    [Fact]
    public void A_processor_that_parks_with_messages_waiting_is_not_waited_for_and_gets_them_later()
    {
        var bus = new InvalidationBus(1);
        bus[0].Resume();
        InvalidationTicket ticket = bus.Send(TlbInvalidation.OfContext(0, 1));
        bus[0].Park();
        Assert.True(bus.IsAcknowledged(ticket));
        bus[0].Resume();
        Assert.True(bus[0].TryTake(out TlbInvalidation taken));
        Assert.Equal(TlbInvalidation.OfContext(0, 1), taken);
    }

    [Fact]
    public void A_wait_ends_with_false_when_it_is_cancelled()
    {
        var bus = new InvalidationBus(1);
        bus[0].Resume();
        InvalidationTicket ticket = bus.Send(TlbInvalidation.All);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.False(bus.WaitForAcknowledgement(ticket, Timeout.InfiniteTimeSpan, cancelled.Token));
    }

    [Fact]
    public void Sizes_out_of_range_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new InvalidationBus(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new InvalidationBus(65));
        Assert.Throws<ArgumentOutOfRangeException>(() => new InvalidationBus(1, 3));
        Assert.Equal(ulong.MaxValue, new InvalidationBus(64).AllProcessors);
        Assert.Equal(1UL, new InvalidationBus(1).AllProcessors);
    }

    [Fact]
    public void Polling_sending_and_acknowledging_allocate_nothing()
    {
        var bus = new InvalidationBus(2, 4);
        bus[0].Resume();
        long least = long.MaxValue;
        for (int round = 0; round < 5 && least != 0; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int message = 0; message < 1000; message++)
            {
                InvalidationTicket ticket = bus.Send(TlbInvalidation.OfAddress(0, 0, GuestVirtualAddress.Create(0x1000)));
                while (bus[0].HasPending && message % 7 == 0 && bus[0].TryTake(out _))
                {
                    bus[0].Acknowledge();
                }

                bus.WaitForAcknowledgement(ticket, TimeSpan.Zero);
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }

    /// <summary>
    /// Senders change a value and tell; processors keep a copy, and use it between polls. After the acknowledgement no processor
    /// may
    /// use a copy older than the value that was told.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    public void After_the_acknowledgement_nobody_uses_what_was_there_before(int capacity)
    {
        const int Processors = 3;
        var bus = new InvalidationBus(Processors, capacity);
        long value = 0;
        long oldestAllowed = 0;
        long stale = 0;
        long uses = 0;
        bool stop = false;
        var threads = Enumerable.Range(0, Processors).Select(processor => new Thread(() => Use(processor))).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        SpinWait.SpinUntil(() => Volatile.Read(ref uses) > 1000, TimeSpan.FromSeconds(20));
        Parallel.For(0, 2, _ => Change());
        Volatile.Write(ref stop, true);
        Array.ForEach(threads, thread => thread.Join());
        Assert.Equal(0, stale);
        Assert.True(uses > 1000, $"Only {uses} uses.");

        void Change()
        {
            for (int change = 0; change < 300; change++)
            {
                long changed = Interlocked.Increment(ref value);
                bus.WaitForAcknowledgement(bus.Send(TlbInvalidation.All), Timeout.InfiniteTimeSpan);
                InterlockedMax(ref oldestAllowed, changed);
            }
        }

        void Use(int processor)
        {
            InvalidationMailbox mailbox = bus[processor];
            mailbox.Resume();
            long cached = -1;
            for (int step = 0; !Volatile.Read(ref stop); step++)
            {
                while (mailbox.TryTake(out _))
                {
                    cached = -1;
                }

                mailbox.Acknowledge();
                long allowed = Volatile.Read(ref oldestAllowed);
                cached = cached < 0 ? Volatile.Read(ref value) : cached;
                if (cached < allowed)
                {
                    Interlocked.Increment(ref stale);
                }

                Interlocked.Increment(ref uses);
                if (step % 50 == 0)
                {
                    mailbox.Park();
                    Thread.Yield();
                    mailbox.Resume();
                }
            }

            mailbox.Park();
        }
    }

    private static void InterlockedMax(ref long place, long candidate)
    {
        long seen = Volatile.Read(ref place);
        while (seen < candidate && Interlocked.CompareExchange(ref place, candidate, seen) is var now && now != seen)
        {
            seen = now;
        }
    }
}
