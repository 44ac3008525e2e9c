using MemVirt.Core.Shadow;
using MemVirt.Core.Tests.Tlb;

namespace MemVirt.Core.Tests.Shadow;

/// <summary>The reverse map against sets kept by name: after each of many changes they hold the same.</summary>
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
}
