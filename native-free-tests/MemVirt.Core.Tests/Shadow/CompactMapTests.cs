using MemVirt.Core.Shadow;
using MemVirt.Core.Tests.Tlb;

namespace MemVirt.Core.Tests.Shadow;

public sealed class CompactMapTests
{
    private const ulong LargestKey = (1UL << 40) - 1;
    private const ulong LargestWord = (1UL << 54) - 1;

    [Theory]
    [InlineData(1, 50)]
    [InlineData(2, 500)]
    [InlineData(3, 20_000)]
    public void Holds_what_a_dictionary_holds(ulong seed, int keys)
    {
        var random = new SplitMix(seed);
        var map = new CompactMap();
        var expected = new Dictionary<ulong, ulong>();
        for (int change = 0; change < 200_000; change++)
        {
            // Neighbouring keys and far ones; the highest too.
            ulong which = (ulong)random.Below(keys);
            ulong key = (which & 1) == 0 ? which : LargestKey - which;
            ulong word = random.Below(3) == 0 ? 0 : LargestWord - (ulong)random.Below(1000);
            int at = map.Find(key);
            if (word != 0)
            {
                map.SetAt(at, key, word);
                expected[key] = word;
            }
            else if (expected.Remove(key))
            {
                map.RemoveAt(at);
            }

            ulong asked = (ulong)random.Below(keys);
            asked = (asked & 1) == 0 ? asked : LargestKey - asked;
            Assert.Equal(expected.GetValueOrDefault(asked), map[asked]);
        }

        Assert.Equal(expected.Count, map.Count);
        Assert.All(expected, each => Assert.Equal(each.Value, map[each.Key]));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(512)]
    [InlineData(262_144)]
    public void An_entry_costs_no_more_than_20_bytes_however_far_apart_keys_lie(ulong stride)
    {
        var map = new CompactMap();
        for (ulong entry = 1; entry <= 300_000; entry++)
        {
            ulong key = (entry * stride) & LargestKey;
            map.SetAt(map.Find(key), key, entry);
            Assert.True(entry < 100 || map.Bytes <= (20 * (long)entry) + 24, $"{map.Bytes} bytes for {entry} entries");
        }
    }
}
