using CsCheck;
using MemVirt.Simulation.Traces;
using static MemVirt.Simulation.Tests.Traces.TraceSamples;

namespace MemVirt.Simulation.Tests.Traces;

public sealed class TraceStatisticsTests
{
    [Fact]
    public void The_counts_equal_those_of_a_naive_count()
        => Gen.Select(Gen.Int[0, 1_000_000], Gen.Int[0, 5000], Gen.Bool, Gen.Int[1, 100]).Sample((seed, count, isNoise, piece) =>
        {
            MemoryReference[] references = isNoise ? Noise(seed, count) : Program(seed, count);
            var statistics = new TraceStatistics();
            for (int start = 0; start < references.Length; start += piece)
            {
                statistics.Add(references.AsSpan(start, Math.Min(piece, references.Length - start)));
            }

            var pages = new HashSet<ulong>();
            foreach (MemoryReference reference in references)
            {
                pages.Add(reference.Address >> 12);
                pages.Add((reference.Address + (ulong)reference.SizeBytes - 1) >> 12);
            }

            return statistics.References == count
                && statistics.InstructionFetches == references.Count(r => r.Kind == ReferenceKind.Fetch)
                && statistics.Loads == references.Count(r => r.Kind == ReferenceKind.Load)
                && statistics.Stores == references.Count(r => r.Kind == ReferenceKind.Store)
                && statistics.Crossings == references.Count(r => r.CrossesPage)
                && statistics.DistinctPages4k == pages.Count;
        }, iter: 300);

    [Fact]
    public void A_crossing_counts_its_first_and_last_page_only()
    {
        var statistics = new TraceStatistics();
        statistics.Add([new MemoryReference(ReferenceKind.Store, 0x1FFF, 0x2002)]);
        Assert.Equal(1, statistics.Crossings);
        Assert.Equal(2, statistics.DistinctPages4k);
    }

    [Fact]
    public void A_page_set_grows_and_holds_what_was_added()
    {
        var random = new Random(30);
        var expected = new HashSet<ulong>();
        var pages = new PageSet();
        for (int i = 0; i < 200_000; i++)
        {
            ulong page = (ulong)random.NextInt64(1L << 36) >> random.Next(36);
            expected.Add(page);
            pages.Add(page);
        }

        Assert.Equal(expected.Count, pages.Count);
        Assert.All(expected, page => Assert.True(pages.Contains(page)));
        Assert.Equal(expected.Contains(12345), pages.Contains(12345));
    }
}
