using CsCheck;
using MemVirt.Core.Tlb;

namespace MemVirt.Core.Tests.Tlb;

/// <summary>What every search unit must do; a new unit is a subclass of one line.</summary>
public abstract unsafe class TagSearchConformance<TSearch>
    where TSearch : struct, ITagSearch
{
    private const int MostWays = 100;
    private const ulong Absent = 0xDEAD_BEEF_0000_0001;

    [Fact]
    public void Finds_every_place_at_every_count()
        => ForEveryCount((tags, count) =>
        {
            for (int way = 0; way < count; way++)
            {
                Assert.Equal(way, Find(tags, count, tags[way]));
            }
        });

    [Fact]
    public void Absent_is_minus_one_even_where_it_lies_just_past_the_end()
        => ForEveryCount((tags, count) =>
        {
            Assert.Equal(-1, Find(tags, count, Absent));
            tags[count] = Absent;
            Assert.Equal(-1, Find(tags, count, Absent));
        });

    [Fact]
    public void Of_duplicates_the_lowest_index_is_found()
        => ForEveryCount((tags, count) =>
        {
            for (int first = 0; first < count; first++)
            {
                Array.Fill(tags, Absent, first, count - first);
                Assert.Equal(first, Find(tags, count, Absent));
                Fill(tags);
            }
        });

    [Fact]
    public void Halves_of_a_tag_are_not_mistaken_for_it()
        => ForEveryCount((tags, count) =>
        {
            Array.Fill(tags, 0xFFFF_FFFF_0000_0000, 0, count);
            tags[count - 1] = 0x0000_0000_FFFF_FFFF;
            Assert.Equal(-1, Find(tags, count, ulong.MaxValue));
            Assert.Equal(-1, Find(tags, count, 0));
        });

    [Fact]
    public void Equals_the_scalar_search_on_random_tags()
        => Gen.Select(Gen.ULong[0, 12].Array[1, MostWays], Gen.ULong[0, 12]).Sample((tags, wanted) =>
        {
            fixed (ulong* pointer = tags)
            {
                return TSearch.Find(pointer, tags.Length, wanted) == ScalarTagSearch.Find(pointer, tags.Length, wanted);
            }
        });

    private static int Find(ulong[] tags, int count, ulong tag)
    {
        fixed (ulong* pointer = tags)
        {
            return TSearch.Find(pointer, count, tag);
        }
    }

    private static void ForEveryCount(Action<ulong[], int> check)
    {
        for (int count = 1; count <= MostWays; count++)
        {
            var tags = new ulong[MostWays + 16];
            Fill(tags);
            check(tags, count);
        }
    }

    private static void Fill(ulong[] tags)
    {
        for (int way = 0; way < tags.Length; way++)
        {
            tags[way] = 0x1_0000_0000UL + (ulong)way;
        }
    }
}

public class ScalarTagSearchTests : TagSearchConformance<ScalarTagSearch>;

public class Vector256TagSearchTests : TagSearchConformance<Vector256TagSearch>;

public class Vector512TagSearchTests : TagSearchConformance<Vector512TagSearch>;

public class BestTagSearchTests : TagSearchConformance<BestTagSearch>;

public class PaddedTagSearchTests : TagSearchConformance<PaddedTagSearchTests.Search>
{
    /// <summary>A search among words that are followed by seven that hold the tag looked for.</summary>
    public readonly struct Search : ITagSearch
    {
        public static unsafe int Find(ulong* tags, int count, ulong tag)
        {
            ulong[] padded = [.. new ReadOnlySpan<ulong>(tags, count), .. Enumerable.Repeat(tag, 7)];
            fixed (ulong* pointer = padded)
            {
                return BestTagSearch.FindPadded(pointer, count, tag);
            }
        }
    }
}
