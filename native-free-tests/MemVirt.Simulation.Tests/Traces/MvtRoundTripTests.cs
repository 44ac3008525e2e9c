using CsCheck;
using MemVirt.Simulation.Traces;
using static MemVirt.Simulation.Tests.Traces.TraceSamples;

namespace MemVirt.Simulation.Tests.Traces;

public sealed class MvtRoundTripTests
{
    [Fact]
    public void What_was_appended_comes_back()
        => Gen.Select(Gen.Int[0, 1_000_000], Gen.Int[1, 3000], Gen.Bool, Gen.Int[1, 300]).Sample((seed, count, isNoise, buffer) =>
        {
            MemoryReference[] expected = isNoise ? Noise(seed, count) : Program(seed, count);
            (List<MemoryReference> references, TraceException? damage) = ReadAll("t.mvt", Mvt(expected), bufferLength: buffer);
            return damage is null && references.SequenceEqual(expected);
        }, iter: 300, threads: 1);

    [Theory]
    [InlineData(false, MvtWriter.FastLevel)]
    [InlineData(true, MvtWriter.FastLevel)]
    [InlineData(false, 9)]
    public void Many_blocks_and_chapters_come_back(bool isNoise, int level)
    {
        MemoryReference[] expected = isNoise ? Noise(5, 1_000_000) : Program(5, 5_000_000);
        byte[] file = Mvt(expected, level);
        (List<MemoryReference> references, TraceException? damage) = ReadAll("t.mvt", file, bufferLength: 10_000);
        Assert.Null(damage);
        Assert.True(references.SequenceEqual(expected));
    }

    [Fact]
    public void A_pipe_reads_like_a_file_and_a_file_knows_its_length()
    {
        MemoryReference[] expected = Program(6, 150_000);
        byte[] file = Mvt(expected);
        Assert.True(ReadAll("-", file, bytesAtOnce: 1000).References.SequenceEqual(expected));
        using ITraceReader reader = TraceFile.Open("t.mvt", new MemoryStream(file));
        Assert.Equal(expected.Length, reader.KnownReferences);
        Assert.Equal(0, reader.FractionRead);
        Assert.Equal("mvt", reader.Format);
        ReadAll(reader);
        Assert.Equal(1, reader.FractionRead);
    }

    [Fact]
    public void Lackey_text_converted_holds_the_same_references()
    {
        MemoryReference[] expected = Program(7, 100_000);
        using ITraceReader text = TraceFile.Open("t", new MemoryStream(Ascii(Lackey(expected))));
        using var file = new MemoryStream();
        using (var writer = new MvtWriter(file, leaveOpen: true))
        {
            var buffer = new MemoryReference[777];
            for (int read; (read = text.Read(buffer)) > 0;)
            {
                writer.Append(buffer.AsSpan(0, read));
            }

            writer.Complete();
            Assert.Equal(expected.Length, writer.References);
            Assert.Equal(file.Length, writer.BytesWritten);
        }

        Assert.True(ReadAll("t.mvt", file.ToArray()).References.SequenceEqual(expected));
    }

    [Fact]
    public void The_index_tells_the_counts_without_the_blocks()
    {
        MemoryReference[] references = Program(8, 300_000);
        byte[] file = Mvt(references);
        MvtInfo? info = MvtInfo.TryRead(new MemoryStream(file));
        Assert.NotNull(info);
        Assert.Equal(references.Length, info.References);
        Assert.Equal(references.Count(r => r.Kind == ReferenceKind.Fetch), info.Fetches);
        Assert.Equal(references.Count(r => r.Kind == ReferenceKind.Load), info.Loads);
        Assert.Equal(references.Count(r => r.Kind == ReferenceKind.Store), info.Stores);
        Assert.Equal(file.Length, info.FileBytes);
        Assert.InRange(info.Blocks, 4, 5);
        Assert.Null(MvtInfo.TryRead(new MemoryStream(file[..^1])));
        Assert.Null(MvtInfo.TryRead(new MemoryStream(Ascii("I  1000,4\n"))));
    }

    [Fact]
    public void A_program_takes_less_than_two_bytes_a_reference()
        => Assert.True(Mvt(Program(9, 500_000)).Length < 1_000_000);

    [Fact]
    public void A_file_without_references_is_an_error()
        => Assert.Contains("holds no references", ReadAll("t.mvt", Mvt([])).Damage!.Message, StringComparison.Ordinal);

    [Fact]
    public void Reading_allocates_nothing_once_it_runs()
    {
        using ITraceReader reader = TraceFile.Open("t.mvt", new MemoryStream(Mvt(Program(10, 600_000))));
        var buffer = new MemoryReference[1000];
        long total = 0;
        while (total < 200_000)
        {
            total += reader.Read(buffer);
        }

        // The runtime allocates a little on this thread while it compiles the loop again; a reader that allocates does so each time.
        long least = long.MaxValue;
        while (total < 590_000)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (long end = total + 65_000; total < end;)
            {
                total += reader.Read(buffer);
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }
}
