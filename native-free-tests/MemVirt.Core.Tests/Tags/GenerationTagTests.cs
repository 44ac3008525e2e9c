using MemVirt.Core.Tags;
using MemVirt.Core.Tests.Registers;

namespace MemVirt.Core.Tests.Tags;

/// <summary>What a holder gets, and when it is told to flush.</summary>
public class GenerationTagTests
{
    [Fact]
    public void Tags_are_handed_out_in_order_and_kept()
    {
        var allocator = new GenerationTagAllocator(1, 3);
        var holders = new TagHolder[3];
        for (int holder = 0; holder < 3; holder++)
        {
            Assert.Equal(new TagGrant((ushort)(holder + 1), FlushAll: true), allocator.Acquire(ref holders[holder]));
        }

        for (int holder = 0; holder < 3; holder++)
        {
            Assert.Equal(new TagGrant((ushort)(holder + 1), FlushAll: false), allocator.Acquire(ref holders[holder]));
        }

        Assert.Equal(1UL, allocator.Generation);
    }

    [Fact]
    public void Rolling_over_takes_every_tag_away_and_starts_again_at_the_first()
    {
        var allocator = new GenerationTagAllocator(5, 6);
        TagHolder first = default, second = default, third = default;
        allocator.Acquire(ref first);
        allocator.Acquire(ref second);
        Assert.Equal(new TagGrant(5, FlushAll: true), allocator.Acquire(ref third));
        Assert.Equal(2UL, allocator.Generation);
        Assert.Equal(new TagGrant(6, FlushAll: true), allocator.Acquire(ref second));
        Assert.Equal(new TagGrant(5, FlushAll: false), allocator.Acquire(ref third));
        Assert.Equal(new TagGrant(5, FlushAll: true), allocator.Acquire(ref first));
        Assert.Equal(3UL, allocator.Generation);
    }

    [Fact]
    public void Invalidating_all_makes_every_holder_flush_once()
    {
        var allocator = new GenerationTagAllocator(1, 100);
        var holders = new TagHolder[10];
        foreach (ref TagHolder holder in holders.AsSpan())
        {
            allocator.Acquire(ref holder);
        }

        allocator.InvalidateAll();
        Assert.Equal(2UL, allocator.Generation);
        foreach (ref TagHolder holder in holders.AsSpan())
        {
            Assert.True(allocator.Acquire(ref holder).FlushAll);
            Assert.False(allocator.Acquire(ref holder).FlushAll);
        }
    }

    [Fact]
    public void On_a_shared_TLB_only_the_first_of_a_generation_flushes()
    {
        var allocator = new GenerationTagAllocator(1, 100);
        TlbGeneration tlb = default, other = default;
        TagHolder first = default, second = default;
        Assert.True(allocator.Acquire(ref first, ref tlb).FlushAll);
        Assert.False(allocator.Acquire(ref second, ref tlb).FlushAll);
        Assert.True(allocator.Acquire(ref second, ref other).FlushAll);
        allocator.InvalidateAll();
        Assert.True(allocator.Acquire(ref second, ref tlb).FlushAll);
        Assert.False(allocator.Acquire(ref first, ref tlb).FlushAll);
        Assert.True(allocator.Acquire(ref first, ref other).FlushAll);
    }

    [Fact]
    public void A_dropped_tag_is_replaced_by_a_fresh_one_without_a_flush()
    {
        var allocator = new GenerationTagAllocator(1, 3);
        TagHolder holder = default;
        allocator.Acquire(ref holder);
        holder.Drop();
        Assert.Equal(new TagGrant(2, FlushAll: false), allocator.Acquire(ref holder));
        holder.Drop();
        Assert.Equal(new TagGrant(3, FlushAll: false), allocator.Acquire(ref holder));
        holder.Drop();
        Assert.Equal(new TagGrant(1, FlushAll: true), allocator.Acquire(ref holder));
    }

    [Fact]
    public void One_tag_is_enough()
    {
        var allocator = new GenerationTagAllocator(65535, 65535);
        TagHolder first = default, second = default;
        for (ulong round = 1; round < 100; round += 2)
        {
            Assert.Equal(new TagGrant(65535, FlushAll: true), allocator.Acquire(ref first));
            Assert.Equal(round, allocator.Generation);
            Assert.Equal(new TagGrant(65535, FlushAll: true), allocator.Acquire(ref second));
            Assert.Equal(round + 1, allocator.Generation);
        }
    }

    [Fact]
    public void All_65535_VPIDs_are_used_and_never_0()
    {
        var allocator = new GenerationTagAllocator(1, 65535);
        var seen = new HashSet<ushort>();
        for (int count = 0; count < 65535; count++)
        {
            TagHolder holder = default;
            Assert.True(seen.Add(allocator.Acquire(ref holder).Tag));
        }

        Assert.Equal(1UL, allocator.Generation);
        Assert.DoesNotContain((ushort)0, seen);
        TagHolder next = default;
        Assert.Equal(1, allocator.Acquire(ref next).Tag);
        Assert.Equal(2UL, allocator.Generation);
    }

    [Theory]
    [InlineData(0, 5)] // VPID 0 and ASID 0 are the host's
    [InlineData(-1, 5)]
    [InlineData(6, 5)]
    [InlineData(1, 65536)]
    public void Bad_bounds_are_refused(int first, int last)
        => Assert.Throws<ArgumentOutOfRangeException>(() => new GenerationTagAllocator(first, last));

    [Fact]
    public void Acquiring_dropping_and_invalidating_allocate_nothing()
    {
        var allocator = new GenerationTagAllocator(1, 7);
        TagHolder holder = default;
        TlbGeneration tlb = default;
        Assert.Equal(0, Allocations.Of(() =>
        {
            for (int round = 0; round < 1000; round++)
            {
                allocator.Acquire(ref holder, ref tlb);
                holder.Drop();
                allocator.Acquire(ref holder);
                allocator.InvalidateAll();
            }
        }));
    }
}
