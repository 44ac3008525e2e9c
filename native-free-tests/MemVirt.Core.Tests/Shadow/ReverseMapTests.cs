using MemVirt.Core.Shadow;
using MemVirt.Core.Tests.Tlb;

namespace MemVirt.Core.Tests.Shadow;

/// <summary>The indices of shadow paging against sets kept by name: after each of many changes they hold the same.</summary>
public sealed class ReverseMapTests
{
    private const int Changes = 50_000;

    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 1)]
    [InlineData(3, 2)]
    public void A_page_is_mapped_by_the_leaves_added_and_not_removed(ulong seed, int level)
    {
        var random = new SplitMix(seed);
        var map = new ReverseMap();
        var expected = new Dictionary<ulong, HashSet<ulong>>();
        for (int change = 0; change < Changes; change++)
        {
            ulong page = (ulong)random.Below(40) << (12 + (9 * level));
            ulong leaf = (ulong)(random.Below(60) + 1) * 8;
            HashSet<ulong> leaves = expected.TryGetValue(page, out HashSet<ulong>? known) ? known : expected[page] = [];
            if (leaves.Add(leaf))
            {
                map.Add(level, page, leaf);
            }
            else
            {
                leaves.Remove(leaf);
                map.Remove(level, page, leaf);
            }

            var found = new List<ulong>();
            for (ulong each = map.First(level, page, out int position); each != 0; each = map.Next(ref position))
            {
                found.Add(each);
            }

            Assert.Equal(leaves.Order(), found.Order());
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public void A_frame_has_the_indices_added_and_not_removed(ulong seed)
    {
        const int Indices = 700;
        var random = new SplitMix(seed);
        var index = new FrameIndex();
        var frames = new ulong?[Indices];
        int last = 0;
        for (int change = 0; change < Changes; change++)
        {
            // Indices are given out in order, and reused.
            int which = random.Below(Math.Min(last + 1, Indices));
            ulong frame = (ulong)random.Below(50) << random.Below(40);
            if (frames[which] is null)
            {
                index.Add(frame, which);
                frames[which] = frame;
                last = Math.Max(last, which + 1);
            }
            else
            {
                index.Remove(which);
                frames[which] = null;
            }

            var found = new List<int>();
            for (int each = index.First(frame); each >= 0; each = index.Next(each))
            {
                found.Add(each);
            }

            Assert.Equal(Enumerable.Range(0, Indices).Where(each => frames[each] == frame), found.Order());
        }
    }
}
