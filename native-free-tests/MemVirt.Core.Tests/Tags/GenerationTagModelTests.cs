using MemVirt.Core.Tags;
using MemVirt.Core.Tests.Tlb;
using Xunit.Abstractions;

namespace MemVirt.Core.Tests.Tags;

/// <summary>
/// Random schedules over TLBs that remember what was entered under which tag: no virtual processor may ever find an entry of
/// another's, or one of its own from before a flush that it was promised.
/// </summary>
public class GenerationTagModelTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(1, 1, 0x7A61UL)]
    [InlineData(1, 3, 0x7A62UL)]
    [InlineData(1, 8, 0x7A63UL)]
    [InlineData(2, 40, 0x7A64UL)]
    public void No_stale_or_foreign_entry_is_ever_found(int first, int last, ulong seed)
    {
        output.WriteLine($"seed 0x{seed:x}");
        var random = new SplitMix(seed);
        var allocator = new GenerationTagAllocator(first, last);
        var holders = new TagHolder[6];
        var epochs = new int[holders.Length];
        Core[] cores = [.. Enumerable.Range(0, 3).Select(_ => new Core())];
        int epoch = 0, hits = 0, flushes = 0, flushesWithoutCause = 0;
        for (int step = 0; step < 30_000; step++)
        {
            if (random.Chance(2))
            {
                allocator.InvalidateAll();
                epoch++;
                continue;
            }

            int processor = random.Below(holders.Length);
            if (random.Chance(5))
            {
                holders[processor].Drop();
                epochs[processor]++;
                continue;
            }

            Core core = cores[random.Below(cores.Length)];
            bool cause = core.SeenGeneration == 0 || core.SeenGeneration != allocator.Generation;
            TagGrant grant = allocator.Acquire(ref holders[processor], ref core.Generation);
            cause |= core.SeenGeneration != allocator.Generation;
            core.SeenGeneration = allocator.Generation;
            Assert.InRange(grant.Tag, first, last);
            if (grant.FlushAll)
            {
                core.Entries.Clear();
                flushes++;
                flushesWithoutCause += cause ? 0 : 1;
            }

            (int, int, int) mine = (processor, epochs[processor], epoch);
            if (core.Entries.TryGetValue(grant.Tag, out (int, int, int) found))
            {
                Assert.True(found == mine, $"step {step}: {mine} found {found} under tag {grant.Tag}");
                hits++;
            }

            core.Entries[grant.Tag] = mine;
        }

        Assert.Equal(0, flushesWithoutCause);
        Assert.True(flushes > 500, $"{flushes} flushes");
        Assert.True(last < 8 || hits > 5000, $"{hits} hits");
    }

    [Fact]
    public void A_processor_with_its_own_TLB_finds_its_entries_and_none_from_before_a_flush()
    {
        const ulong seed = 0x7A65;
        output.WriteLine($"seed 0x{seed:x}");
        var random = new SplitMix(seed);
        var allocator = new GenerationTagAllocator(1, 9);
        var holders = new TagHolder[5];
        (int Drops, int Epoch)[] state = new (int, int)[5];
        Dictionary<ushort, (int, int)>[] tlbs = [.. Enumerable.Range(0, 5).Select(_ => new Dictionary<ushort, (int, int)>())];
        int epoch = 0, hits = 0;
        for (int step = 0; step < 30_000; step++)
        {
            int processor = random.Below(5);
            switch (random.Below(40))
            {
                case 0:
                    allocator.InvalidateAll();
                    epoch++;
                    break;
                case 1:
                    holders[processor].Drop();
                    state[processor].Drops++;
                    break;
                default:
                    TagGrant grant = allocator.Acquire(ref holders[processor]);
                    if (grant.FlushAll)
                    {
                        tlbs[processor].Clear();
                    }

                    (int, int) mine = (state[processor].Drops, epoch);
                    if (tlbs[processor].TryGetValue(grant.Tag, out (int, int) found))
                    {
                        Assert.Equal(mine, found);
                        hits++;
                    }

                    tlbs[processor][grant.Tag] = mine;
                    break;
            }
        }

        Assert.True(hits > 10_000, $"{hits} hits");
    }

    /// <summary>A core's TLB: by tag, whose entry it is.</summary>
    private sealed class Core
    {
        internal TlbGeneration Generation;
        internal ulong SeenGeneration;

        internal Dictionary<ushort, (int Processor, int Drops, int Epoch)> Entries { get; } = [];
    }
}
