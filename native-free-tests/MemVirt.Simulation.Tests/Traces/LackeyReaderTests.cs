using MemVirt.Simulation.Traces;
using static MemVirt.Simulation.Tests.Traces.TraceSamples;

namespace MemVirt.Simulation.Tests.Traces;

public sealed class LackeyReaderTests
{
    [Theory]
    [InlineData(int.MaxValue, 1000)]
    [InlineData(int.MaxValue, 1)]
    [InlineData(int.MaxValue, 2)]
    [InlineData(int.MaxValue, 100_000)]
    [InlineData(7, 333)]
    [InlineData(100_001, 3)]
    public void A_text_is_read_alike_in_pieces_of_any_length(int bytesAtOnce, int bufferLength)
    {
        MemoryReference[] expected = Program(seed: 1, count: 60_000);
        (List<MemoryReference> references, TraceException? damage)
            = ReadAll("t", Ascii(Lackey(expected)), bytesAtOnce, bufferLength);
        Assert.Null(damage);
        Assert.True(references.SequenceEqual(expected));
    }

    [Fact]
    public void Line_ends_of_another_system_make_no_difference()
    {
        MemoryReference[] expected = Program(seed: 2, count: 3000);
        string text = Lackey(expected).Replace("\n", "\r\n", StringComparison.Ordinal);
        Assert.True(ReadAll("t", Ascii(text)).References.SequenceEqual(expected));
    }

    [Fact]
    public void Lines_of_valgrind_and_blank_ones_are_skipped_however_long_they_are()
    {
        string longLine = "==1== " + new string('x', 3 * LackeyReader.BufferBytes);
        string text = $"\n  \n--1-- a\n{longLine}\nI  1000,4\n{longLine}\nhello\n";
        (List<MemoryReference> references, TraceException? damage) = ReadAll("t", Ascii(text), bytesAtOnce: 10_000);
        Assert.Single(references);
        Assert.StartsWith("t, line 7: \"hello\"", damage!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_long_line_of_valgrind_may_end_the_text()
    {
        (List<MemoryReference> references, TraceException? damage)
            = ReadAll("t", Ascii("I  1000,4\n==" + new string('x', 2 * LackeyReader.BufferBytes)));
        Assert.Single(references);
        Assert.Null(damage);
    }

    [Fact]
    public void Any_other_line_longer_than_the_buffer_is_an_error()
    {
        (List<MemoryReference> references, TraceException? damage)
            = ReadAll("t", Ascii("I  1000,4\n" + new string('0', 5 * LackeyReader.BufferBytes)));
        Assert.Single(references);
        Assert.StartsWith("t, line 2: ", damage!.Message, StringComparison.Ordinal);
        Assert.True(damage.Message.Length < 200);
    }

    [Theory]
    [InlineData("==1== nothing\n")]
    [InlineData("\n")]
    public void A_text_without_references_is_an_error(string text)
        => Assert.Contains("holds no references", ReadAll("t", Ascii(text)).Damage!.Message, StringComparison.Ordinal);

    [Fact]
    public void An_error_is_reported_again_when_asked_again()
    {
        using ITraceReader reader = TraceFile.Open("t", new MemoryStream(Ascii("oops\n")));
        Assert.Throws<TraceException>(() => reader.Read(new MemoryReference[4]));
        Assert.Throws<TraceException>(() => reader.Read(new MemoryReference[4]));
    }

    [Fact]
    public void The_share_read_grows_to_one()
    {
        byte[] text = Ascii(Lackey(Program(seed: 3, count: 200_000)));
        using ITraceReader reader = TraceFile.Open("t", new MemoryStream(text));
        var buffer = new MemoryReference[4096];
        reader.Read(buffer);
        Assert.InRange(reader.FractionRead!.Value, 0.0001, 0.5);
        ReadAll(reader);
        Assert.Equal(1, reader.FractionRead);
        Assert.Null(reader.KnownReferences);
        Assert.Equal("lackey", reader.Format);
    }

    [Fact]
    public void Reading_allocates_nothing_once_it_runs()
    {
        byte[] text = Ascii(Lackey(Program(seed: 4, count: 200_000)));
        var buffer = new MemoryReference[1024];

        // The runtime allocates a little on this thread while it compiles the loop again; a reader that allocates does so each time.
        long least = long.MaxValue;
        for (int attempt = 0; attempt < 5; attempt++)
        {
            using ITraceReader reader = TraceFile.Open("t", new MemoryStream(text));
            reader.Read(buffer);
            long before = GC.GetAllocatedBytesForCurrentThread();
            while (reader.Read(buffer) > 0)
            {
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }
}
