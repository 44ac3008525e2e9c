using MemVirt.Core.Tlb;
using Xunit;

namespace MemVirt.Core.Tests.Tlb;

public unsafe class RecencyTests
{
    [Fact]
    public void A_word_comes_to_the_front_and_what_lies_behind_its_place_stays()
    {
        const int words = 40;
        ulong* set = stackalloc ulong[words];
        for (int ways = 1; ways <= 24; ways++)
        {
            for (int way = 0; way < ways; way++)
            {
                ulong[] expected = new ulong[words];
                for (int i = 0; i < words; i++)
                {
                    set[i] = 100 + (ulong)i;
                    expected[i] = i == 0 ? 7 : i <= way ? 99 + (ulong)i : 100 + (ulong)i;
                }

                Recency.MoveToFront(set, way, ways, 7);
                Assert.Equal(expected, new Span<ulong>(set, words).ToArray());
            }
        }
    }
}
