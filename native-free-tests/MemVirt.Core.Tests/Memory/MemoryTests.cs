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
    [InlineData((1UL << 52) - 8)]
    [InlineData(ulong.MaxValue - 7)]
    public void A_frame_that_does_not_exist_reads_zero(ulong address) => Assert.Equal(0UL, _host.Read(address));

    [Fact]
    public void A_write_to_a_frame_that_does_not_exist_says_which()
    {
        var thrown = Assert.Throws<InvalidOperationException>(() => _host.Write(0x12_3450, 1));
        Assert.Contains("0x123450", thrown.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => _host.SetBits(1UL << 51, 1));
        Assert.Equal(0UL, _host.Read(0x12_3450));
    }

    [Fact]
    public void A_frame_past_the_limit_says_so()
    {
        var thrown = Assert.Throws<InvalidOperationException>(() => _host.EnsureFrame(1UL << 46));
        Assert.Contains("limit", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Memory_may_be_smaller_than_the_first_growth()
    {
        using var small = new SparseMemory(1 << 20);
        small.EnsureFrame(0xF_F000);
        small.Write(0xF_FFF8, 7);
        Assert.Equal(7UL, small.Read(0xF_FFF8));
        Assert.Throws<InvalidOperationException>(() => small.EnsureFrame(1 << 20));
    }

    [Fact]
    public void Aliased_frames_are_one()
    {
        _host.Alias(0x7000_0000, _host.EnsureFrame(0x1000));
        _host.Write(0x1008, 5);
        Assert.Equal(5UL, _host.Read(0x7000_0008));
        Assert.Equal(7UL, _host.SetBits(0x7000_0008, 2));
        Assert.Equal(7UL, _host.Read(0x1008));
    }

    [Fact]
    public void What_a_guest_page_held_before_it_was_backed_and_after_is_seen_at_its_host_address()
    {
        using var guest = new GuestMemory(_host, new FrameAllocator(1UL << 30, 1UL << 40), PageSize.Size2M);
        guest.EnsureFrame(0x40_3000);
        guest.Write(0x40_3008, 11);
        Assert.False(guest.TryResolve(0x40_3008, out _));
        ulong hpa = guest.Resolve(0x40_3008);
        Assert.Equal(0x3008UL, hpa & 0x1F_FFFF);
        Assert.Equal(11UL, _host.Read(hpa));
        guest.EnsureFrame(0x40_5000);
        guest.Write(0x40_5000, 13);
        Assert.Equal(13UL, _host.Read(hpa - 0x3008 + 0x5000));
        _host.Write(hpa, 12);
        Assert.Equal(12UL, guest.Read(0x40_3008));
        Assert.Equal(hpa, guest.Resolve(0x40_3008));
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
