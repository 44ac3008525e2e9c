using MemVirt.Core.Addresses;
using MemVirt.Core.Memory;

namespace MemVirt.Core.Tests.Memory;

public sealed class MemoryTests : IDisposable
{
    private readonly SparseMemory _host = new();

    public void Dispose() => _host.Dispose();

    [Theory]
    [InlineData(0UL)]
    [InlineData(0x3FF_FFF8UL)]
    [InlineData(1UL << 36)]
    [InlineData((1UL << 52) - 8)]
    [InlineData(ulong.MaxValue - 7)]
    public void What_was_never_written_reads_zero(ulong address) => Assert.Equal(0UL, _host.Read(address));

    /// <summary>Below and above what is one range, at its very end, and where there is none.</summary>
    [Theory]
    [InlineData(1UL << 36)]
    [InlineData(1UL << 20)]
    [InlineData(0UL)]
    public void A_word_is_what_was_written_last(ulong flatBytes)
    {
        using var memory = new SparseMemory(1UL << 46, flatBytes);
        foreach (ulong address in new[] { 0x1008UL, (1UL << 20) - 8, 1UL << 20, (1UL << 36) - 8, 1UL << 36, (1UL << 46) - 8 })
        {
            memory.Write(address, 5);
            Assert.Equal(5UL, memory.Read(address));
            Assert.Equal(7UL, memory.SetBits(address, 2));
            Assert.False(memory.TryReplace(address, 5, 9));
            Assert.True(memory.TryReplace(address, 7, 9));
            Assert.Equal(9UL, memory.Read(address));
            Assert.Equal(9, memory.InFrame(address, 8)[0]);
            memory.InFrame(address & ~0xFFFUL, 4096).Clear();
            Assert.Equal(0UL, memory.Read(address));
        }
    }

    [Theory]
    [InlineData(1UL << 36)]
    [InlineData(0UL)]
    public void A_write_past_the_limit_says_so_and_bytes_beyond_a_frame_too(ulong flatBytes)
    {
        using var memory = new SparseMemory(1UL << 46, flatBytes);
        var thrown = Assert.Throws<InvalidOperationException>(() => memory.Write(1UL << 46, 1));
        Assert.Contains("limit", thrown.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => memory.SetBits(1UL << 51, 1));
        Assert.Throws<InvalidOperationException>(() => memory.TryReplace(1UL << 51, 0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.InFrame(0x1001, 4096).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.InFrame(0x1000, -1).Length);
        Assert.Equal(0UL, memory.Read(1UL << 46));
    }

    [Fact]
    public void Memory_may_be_smaller_than_the_first_growth()
    {
        using var small = new SparseMemory(1 << 20);
        small.Write(0xF_FFF8, 7);
        Assert.Equal(7UL, small.Read(0xF_FFF8));
        Assert.Throws<InvalidOperationException>(() => small.Write(1 << 20, 1));
    }

    /// <summary>Frames above the flat range are made by whoever writes first, once.</summary>
    [Fact]
    public void Frames_made_by_several_threads_at_once_lose_no_write()
    {
        const int Threads = 4;
        const ulong Frames = 2000;
        using var memory = new SparseMemory(1UL << 46, 0);
        Parallel.For(0, Threads, thread =>
        {
            for (ulong frame = 0; frame < Frames; frame++)
            {
                memory.Write((frame << 12) + ((ulong)thread * 8), frame + 1);
            }
        });
        for (ulong frame = 0; frame < Frames; frame++)
        {
            for (ulong thread = 0; thread < Threads; thread++)
            {
                Assert.Equal(frame + 1, memory.Read((frame << 12) + (thread * 8)));
            }
        }
    }

    [Fact]
    public void What_a_guest_page_held_before_it_was_backed_and_after_is_seen_at_its_host_address()
    {
        using var guest = new GuestMemory(_host, new FrameAllocator(1UL << 30, 1UL << 40), PageSize.Size2M);
        guest.Write(0x40_3008, 11);
        Assert.False(guest.TryResolve(0x40_3008, out _));
        ulong hpa = guest.Resolve(0x40_3008);
        Assert.Equal(0x3008UL, hpa & 0x1F_FFFF);
        Assert.Equal(11UL, _host.Read(hpa));
        guest.Write(0x40_5000, 13);
        Assert.Equal(13UL, _host.Read(hpa - 0x3008 + 0x5000));
        _host.Write(hpa, 12);
        Assert.Equal(12UL, guest.Read(0x40_3008));
        Assert.Equal(hpa, guest.Resolve(0x40_3008));
    }

    [Theory]
    [InlineData(PageSize.Size4K)]
    [InlineData(PageSize.Size2M)]
    public void What_a_guest_page_holds_outlives_its_host_page(PageSize backing)
    {
        using var guest = new GuestMemory(_host, new FrameAllocator(1UL << 30, 1UL << 40), backing);
        ulong first = guest.Resolve(0x40_3008);
        guest.Write(0x40_3008, 21);
        guest.Release(0x40_3008);
        Assert.False(guest.TryResolve(0x40_3008, out _));
        Assert.Equal(21UL, guest.Read(0x40_3008));
        guest.SetBits(0x40_3008, 2);
        ulong second = guest.Resolve(0x40_3008);
        Assert.NotEqual(first, second);
        Assert.Equal(23UL, _host.Read(second));
        guest.Release(0x40_3008);
        guest.Release(0x40_3008);
        Assert.True(guest.TryReplace(0x40_3008, 23, 1));
        Assert.Equal(1UL, _host.Read(guest.Resolve(0x40_3008)));
        Assert.Equal(0UL, guest.Read(0x40_3FF8));
    }

    [Fact]
    public void Backing_an_address_past_the_limit_says_so()
    {
        using var guest = new GuestMemory(_host, new FrameAllocator(1UL << 30, 1UL << 40), PageSize.Size4K);
        Assert.Throws<InvalidOperationException>(() => guest.Resolve(1UL << 51));
        Assert.False(guest.TryResolve(1UL << 51, out _));
    }

    [Fact]
    public void An_allocator_aligns_and_stops_at_its_limit()
    {
        var frames = new FrameAllocator(0x1000, 0x40_0000);
        Assert.Equal(0x1000UL, frames.Allocate(PageSize.Size4K));
        Assert.Equal(0x20_0000UL, frames.Allocate(PageSize.Size2M));
        Assert.Throws<InvalidOperationException>(() => frames.Allocate(PageSize.Size4K));
    }
}
