using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;

namespace MemVirt.Core.Tests.Walking;

/// <summary>How many entries a translation reads when nothing is cached.</summary>
[Trait("Category", "published")]
public class ReferenceCountTests
{
    private const ulong Address = 0x7F12_4000_0000;

    [Theory]
    [InlineData(PageSize.Size4K, 4)]
    [InlineData(PageSize.Size2M, 3)]
    [InlineData(PageSize.Size1G, 2)]
    public void A_native_walk_reads_one_entry_a_level(PageSize size, int reads)
    {
        using var memory = new SparseMemory();
        var tables = new TableBuilder<X64FourLevel>(memory, new FrameAllocator(0x1000, 1 << 20));
        tables.Map(Address, 1UL << 30, size);
        var counts = new ReadCounts();
        var source = new TwoStageSource<X64FourLevel, IdentityStage, CountingReader>(default, new CountingReader(memory, counts))
        {
            Root = tables.Root,
        };
        Translation translation = source.Translate(Address + 0x234, AccessRights.Read);
        Assert.Equal(TranslationStatus.Ok, translation.Status);
        Assert.Equal(1UL << 30, translation.HostPage);
        Assert.Equal(size, translation.Size);
        Assert.Equal(reads, counts.Total);
    }

    [Theory]
    [InlineData(PageSize.Size4K, PageSize.Size4K, 24)]
    [InlineData(PageSize.Size4K, PageSize.Size2M, 19)]
    [InlineData(PageSize.Size4K, PageSize.Size1G, 14)]
    [InlineData(PageSize.Size2M, PageSize.Size4K, 19)]
    [InlineData(PageSize.Size2M, PageSize.Size2M, 15)]
    [InlineData(PageSize.Size2M, PageSize.Size1G, 11)]
    [InlineData(PageSize.Size1G, PageSize.Size4K, 14)]
    [InlineData(PageSize.Size1G, PageSize.Size2M, 11)]
    [InlineData(PageSize.Size1G, PageSize.Size1G, 8)]
    public void A_nested_walk_reads_guest_levels_times_host_levels_plus_both(PageSize guest, PageSize host, int reads)
    {
        Check<EptFormat>(guest, host, reads);
        Check<NptFormat>(guest, host, reads);
    }

    private static void Check<TFormat>(PageSize guest, PageSize host, int reads)
        where TFormat : struct, IPageTableFormat
    {
        using var bed = new NestedTestbed<TFormat>(host);
        bed.Guest.Map(Address, NestedTestbed<TFormat>.Data, guest);
        var counts = new ReadCounts();
        var reader = new CountingReader(bed.Memory, counts);
        var stage = new NestedStage<TFormat, CountingReader>(reader, bed.Host.Root, context: 1);
        var source = new TwoStageSource<X64FourLevel, NestedStage<TFormat, CountingReader>, CountingReader>(stage, reader)
        {
            Root = bed.Guest.Root,
        };
        Translation translation = source.Translate(Address + 0x234, AccessRights.Read);
        Assert.Equal(TranslationStatus.Ok, translation.Status);
        Assert.Equal(NestedTestbed<TFormat>.Data + NestedTestbed<TFormat>.Offset, translation.HostPage);
        Assert.Equal(PageSizeExtensions.Smaller(guest, host), translation.Size);
        Assert.Equal(reads, counts.Total);
        Assert.Equal(4 - guest.LeafLevel(), counts.Guest);
        Assert.Equal(host < guest, translation.IsPiece);
    }
}
