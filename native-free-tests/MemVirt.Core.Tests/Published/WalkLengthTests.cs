using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Tests.Walking;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Published;

/// <summary>How long walks are, as the literature counts them; docs/published.md names the papers.</summary>
[Trait("Category", "published")]
public sealed class WalkLengthTests
{
    private const ulong Address = 0x7F12_4000_0000;

    [Fact]
    public void Five_levels_on_five_take_35_references()
    {
        using var memory = new SparseMemory();
        var host = new TableBuilder<FiveLevels<EptFormat>>(memory, new FrameAllocator(0x1000, 1UL << 30));
        var guest = new TableBuilder<FiveLevels<X64FourLevel>>(memory, new FrameAllocator(1UL << 30, 2UL << 30));
        ulong root = guest.Root;
        guest.Map(Address, 3UL << 30);
        for (ulong table = root; table < root + (8UL << 12); table += 4096)
        {
            host.Map(table, table);
        }

        host.Map(3UL << 30, 3UL << 30);
        List<TableKind> reads = Read<FiveLevels<X64FourLevel>, FiveLevels<EptFormat>>(memory, host.Root, root);
        Assert.Equal(35, reads.Count);
        Assert.Equal(5, reads.Count(kind => kind == TableKind.Guest));
    }

    /// <summary>
    /// Agile paging walks the guest's upper levels as shadow entries, one reference each, and its lowest ones nested: a reference to the
    /// entry, and the host's levels for where it leads. Taken from one recorded walk of 24.
    /// </summary>
    [Theory]
    [InlineData(0, 4)]
    [InlineData(1, 8)]
    [InlineData(2, 12)]
    [InlineData(3, 16)]
    [InlineData(4, 20)]
    public void Agile_paging_takes_four_more_references_for_each_nested_level(int nestedLevels, int references)
    {
        using var bed = new NestedTestbed<EptFormat>();
        bed.Guest.Map(Address, NestedTestbed<EptFormat>.Data);
        List<TableKind> reads = Read<X64FourLevel, EptFormat>(bed.Memory, bed.Host.Root, bed.Guest.Root);
        Assert.Equal(24, reads.Count);
        int[] guestEntries = [.. Enumerable.Range(0, reads.Count).Where(read => reads[read] == TableKind.Guest)];
        int nested = nestedLevels == 0 ? 0 : reads.Count - guestEntries[^nestedLevels];
        Assert.Equal(references, 4 - nestedLevels + nested);
    }

    private static List<TableKind> Read<TGuest, THost>(SparseMemory memory, ulong hostRoot, ulong guestRoot)
        where TGuest : struct, IPageTableFormat
        where THost : struct, IPageTableFormat
    {
        var reads = new List<TableKind>();
        var reader = new Recorder(memory, reads);
        var source = new TwoStageSource<TGuest, NestedStage<THost, Recorder>, Recorder>(
            new NestedStage<THost, Recorder>(reader, hostRoot, context: 1), reader) { Root = guestRoot };
        Assert.Equal(TranslationStatus.Ok, source.Translate(Address, AccessRights.Read).Status);
        return reads;
    }

    private readonly struct Recorder(SparseMemory memory, List<TableKind> reads) : ITableReader
    {
        public ulong Read(ulong hostAddress, TableKind kind, int level)
        {
            reads.Add(kind);
            return memory.Read(hostAddress);
        }

        public bool TryReplace(ulong hostAddress, ulong expected, ulong replacement) => memory.TryReplace(hostAddress, expected, replacement);
    }
}
