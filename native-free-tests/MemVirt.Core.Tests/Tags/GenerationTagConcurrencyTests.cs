using MemVirt.Core.Tags;

namespace MemVirt.Core.Tests.Tags;

/// <summary>Several virtual processors acquire at the same time.</summary>
public class GenerationTagConcurrencyTests
{
    private const int Threads = 4;
    private const int Rounds = 20_000;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 5)]
    [InlineData(3, 200)]
    [InlineData(1, 65535)]
    public void A_tag_is_handed_out_once_in_a_generation(int first, int last)
    {
        var allocator = new GenerationTagAllocator(first, last);
        (ulong Generation, ushort Tag)[][] handed = InParallel(_ =>
        {
            var mine = new (ulong, ushort)[Rounds];
            TagHolder holder = default;
            for (int round = 0; round < Rounds; round++)
            {
                allocator.Acquire(ref holder);
                mine[round] = (holder.Generation, holder.Tag);
                holder.Drop();
            }

            return mine;
        });

        (ulong Generation, ushort Tag)[] all = [.. handed.SelectMany(tags => tags)];
        Assert.Equal(all.Length, all.Distinct().Count());
        Assert.All(all, pair => Assert.InRange(pair.Tag, first, last));

        // No tag is skipped either: generations fill up one after the other.
        int perGeneration = last - first + 1;
        Assert.Equal((ulong)((all.Length - 1) / perGeneration) + 1, allocator.Generation);
        foreach ((ulong Generation, ushort Tag)[] mine in handed)
        {
            Assert.True(mine.Zip(mine.Skip(1)).All(pair => pair.First.CompareTo(pair.Second) < 0));
        }
    }

    [Fact]
    public void Tags_stay_unique_while_another_thread_invalidates_all()
    {
        var allocator = new GenerationTagAllocator(1, 64);
        int running = Threads;
        long invalidations = 0;
        (ulong Generation, ushort Tag)[][] handed = InParallel(thread =>
        {
            if (thread == 0)
            {
                do
                {
                    allocator.InvalidateAll();
                    invalidations++;
                }
                while (Volatile.Read(ref running) > 1);
                return [];
            }

            try
            {
                return AcquireOften(allocator);
            }
            finally
            {
                Interlocked.Decrement(ref running);
            }
        });

        (ulong, ushort)[][] distinct = [.. handed.Select(tags => tags.Distinct().ToArray())];
        Assert.Equal(distinct.Sum(tags => tags.Length), distinct.SelectMany(tags => tags).Distinct().Count());
        Assert.True((long)allocator.Generation > invalidations && invalidations > 0, $"{invalidations} invalidations");
    }

    [Fact]
    public void No_invalidation_is_lost_among_threads()
    {
        var allocator = new GenerationTagAllocator(1, 10);
        InParallel(_ =>
        {
            for (int round = 0; round < Rounds; round++)
            {
                allocator.InvalidateAll();
            }

            return [];
        });
        Assert.Equal((ulong)(Threads * Rounds) + 1, allocator.Generation);
    }

    private static (ulong, ushort)[] AcquireOften(GenerationTagAllocator allocator)
    {
        var mine = new (ulong, ushort)[Rounds];
        TagHolder holder = default;
        for (int round = 0; round < Rounds; round++)
        {
            ulong before = allocator.Generation;
            ulong old = holder.Generation;
            TagGrant grant = allocator.Acquire(ref holder);
            Assert.True(holder.Generation >= before);
            Assert.Equal(holder.Generation != old, grant.FlushAll);
            mine[round] = (holder.Generation, holder.Tag);
        }

        return mine;
    }

    // Threads of their own, which start together whatever the pool is doing; an exception of one is rethrown here.
    private static (ulong, ushort)[][] InParallel(Func<int, (ulong, ushort)[]> work)
    {
        using var start = new Barrier(Threads);
        Task<(ulong, ushort)[]>[] tasks = [.. Enumerable.Range(0, Threads)
            .Select(thread => Task.Factory.StartNew(
                () =>
                {
                    start.SignalAndWait();
                    return work(thread);
                },
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default))];
        return Task.WhenAll(tasks).GetAwaiter().GetResult();
    }
}
