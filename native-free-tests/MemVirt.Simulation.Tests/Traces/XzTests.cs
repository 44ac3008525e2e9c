using System.Globalization;
using System.Text;
using MemVirt.Simulation.Traces;
using static MemVirt.Simulation.Tests.Traces.TraceSamples;

namespace MemVirt.Simulation.Tests.Traces;

/// <summary>
/// The fixtures were made by xz 5.4 of the text that <see cref="Text"/> builds, as no library at hand writes .xz.
/// </summary>
public sealed class XzTests
{
    // xz --check=crc64 --block-size=1024
    private const string ThreeBlocks = "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4AP/AJldACSILGA0WgYOtYkbN3PQV+4OhhqDQQ1EoWNEhMeHAYICwjoUTCrbSI25I8+U"
        + "CMEFIQA0kSO7X3HHshHeAsDrTFDWAHOynAeDuN6XExaMGPWVOG2Cu6GwqNWOoyUnWC1ngUGRxQGO0XxKd059s/wHsDrhllnL21iE"
        + "DCxaQNsVaYRAisns/LDnS2bEzTUOPoQR5G0Wen8keP+9AAAAAAArZU8zNgx15wIAIQEWAAAAdC/lo+AD/wCoXQAaAoWjw7Q/kL47"
        + "LT6OCZAuArW2UokW6fXEy1dktdHishKCGgM0kz7ryd6P16JhC1/Z+Wux0m4SnjyZkD89kVNQCRtLrlpgC90BqbsSO3Z8NwG9YWI8"
        + "hEy17uzHFt7gTdI0Dx78FXMzprs1uRjy28UujsA4s3HFOmr1ASe7WrVEzJXEGbfe2a+AL05IlsDOoZYXGHHA42LjPSqMyeJ2PUSy"
        + "e4webxw4ruIAgJVrupDHZIECACEBFgAAAHQv5aPgAJcAO10AGgsC6rkSSEANUxmgz3RNcYNCxQ9bnMsFwUEzrJu8EDEpjOukE7kv"
        + "qevF1Iygz907GDHqy1mxIf3JwAAAAFmsnkD0bhnGAAO1AYAIxAGACFeYAQAAAOnx6BisJz4tBAAAAAAEWVo=";

    // xz --check=crc32
    private const string Crc32 = "/Td6WFoAAAFpIt42AgAhARYAAAB0L+Wj4AiXAPddACSILGA0WgYOtYkbN3PQV+4OhhqDQQ1EoWNEhMeHAYICwjoUTCrbSI25I8+U"
        + "CMEFIQA0kSO7X3HHshHeAsDrTFDWAHOynAeDuN6XExaMGPWVOG2Cu6GwqNWOoyUnWC1ngUGRxQGO0XxKd059s/wHsDrhllnL21iE"
        + "DCxaQNsVaYRAisns/LDnS2bEzTUOPoQR5G0Wen8d1zkiJOSHRjnYUTVs7u5hKnxBPBqhpTZyJ6fkcYFORbL0gLD9fATrlhuzDBbG"
        + "3cdR7dJglmW1kr47alT/aCOdulvvyHaZadqnZPEiRKCRW+C9vHgqJxHnYUjxzxKYs6V5mwAAAFdmc/MAAY8CmBEAALwhYzM+MA2L"
        + "AgAAAAABWVo=";

    // xz --check=sha256
    private const string Sha256 = "/Td6WFoAAArh+wyhAgAhARYAAAB0L+Wj4AiXAPddACSILGA0WgYOtYkbN3PQV+4OhhqDQQ1EoWNEhMeHAYICwjoUTCrbSI25I8+U"
        + "CMEFIQA0kSO7X3HHshHeAsDrTFDWAHOynAeDuN6XExaMGPWVOG2Cu6GwqNWOoyUnWC1ngUGRxQGO0XxKd059s/wHsDrhllnL21iE"
        + "DCxaQNsVaYRAisns/LDnS2bEzTUOPoQR5G0Wen8d1zkiJOSHRjnYUTVs7u5hKnxBPBqhpTZyJ6fkcYFORbL0gLD9fATrlhuzDBbG"
        + "3cdR7dJglmW1kr47alT/aCOdulvvyHaZadqnZPEiRKCRW+C9vHgqJxHnYUjxzxKYs6V5mwAAAFWqCy+oYSNlhOyCb2ngfpAsRtYa"
        + "bVnuMKyWNlxYvJQCAAGrApgRAACcZl6vtunfHAIAAAAAClla";

    // xz --check=none
    private const string NoCheck = "/Td6WFoAAAD/EtlBAgAhARYAAAB0L+Wj4AiXAPddACSILGA0WgYOtYkbN3PQV+4OhhqDQQ1EoWNEhMeHAYICwjoUTCrbSI25I8+U"
        + "CMEFIQA0kSO7X3HHshHeAsDrTFDWAHOynAeDuN6XExaMGPWVOG2Cu6GwqNWOoyUnWC1ngUGRxQGO0XxKd059s/wHsDrhllnL21iE"
        + "DCxaQNsVaYRAisns/LDnS2bEzTUOPoQR5G0Wen8d1zkiJOSHRjnYUTVs7u5hKnxBPBqhpTZyJ6fkcYFORbL0gLD9fATrlhuzDBbG"
        + "3cdR7dJglmW1kr47alT/aCOdulvvyHaZadqnZPEiRKCRW+C9vHgqJxHnYUjxzxKYs6V5mwAAAAABiwKYEQAAqmPyqKgACvwCAAAA"
        + "AABZWg==";

    // xz --delta=dist=1 --lzma2
    private const string DeltaFilter = "/Td6WFoAAATm1rRGAgEDAQAhARZ5IMTu4AiXAYhdACS1vAD/53BgiCZt4bvQqgTL+TROX43iiKAyEMtOuM0McTrA04uO9qjujyN8"
        + "KItZ/I46Qn2gVlUpIcY7FGFfyYN4zPCUq0sQkpOp7CMSLwW22XAO2O0xib5q9TawHJ2AGRDiZOXDtSmx0ipo+42WxGxIs5TpqshD"
        + "fISmQNlmzOJz22yznXb41jnMMAToaeTVn3F3qJ4G5v8GyXXIRgo98CEHmkE+BVLory0q5bBUubgS+UUb5Qt9IeAPgOdBtFEqdqU5"
        + "bPTIILfYTJsuekB6vqzepx7LvC7jiPrlNF2v3uTdVlV4erVSj1pInKH7tMx5a2OcT1W4p2I4Px/X0Q6WBwASrZAHj7NQJ8r4GFwy"
        + "f53klsNpVKk1ZSGKKxbiiD1I6mu1vMtVFlKE0+5QzLpNBW1FnHAn97DpZpent7H1Q4IIlk3PC22QN+Q6Re+LWg1VJCXnp3sDYG56"
        + "2TGyM834fCZA4wZklbazS63M2zO7rB4pDcp+6/banncvsGeJ/iSwpxudc/j8Ad8AAJuxCENdxhdcAAGkA5gRAAD5/WhjscRn+wIA"
        + "AAAABFla";

    private static readonly byte[] s_fourZeros = new byte[4];
    private static readonly List<MemoryReference> s_references = ReadAll("t", Ascii(Text())).References;

    public static TheoryData<string> Fixtures => [ThreeBlocks, Crc32, Sha256, NoCheck];

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void An_xz_file_reads_like_the_text(string fixture)
    {
        foreach (int bytesAtOnce in new[] { int.MaxValue, 1, 100 })
        {
            (List<MemoryReference> references, TraceException? damage) = ReadAll("t", Convert.FromBase64String(fixture), bytesAtOnce);
            Assert.Null(damage);
            Assert.Equal(s_references, references);
        }
    }

    [Fact]
    public void Several_streams_with_padding_between_them_are_one_trace()
    {
        byte[] file = [.. Convert.FromBase64String(Crc32), .. s_fourZeros, .. Convert.FromBase64String(ThreeBlocks), .. s_fourZeros, .. s_fourZeros];
        (List<MemoryReference> references, TraceException? damage) = ReadAll("t", file);
        Assert.Null(damage);
        Assert.Equal([.. s_references, .. s_references], references);
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void An_xz_file_cut_short_anywhere_is_noticed(string fixture)
    {
        byte[] file = Convert.FromBase64String(fixture);
        for (int length = 6; length < file.Length; length++)
        {
            (List<MemoryReference> references, TraceException? damage) = ReadAll("t", file[..length]);
            Assert.NotNull(damage);
            Assert.Contains("xz data is cut short", damage.Message, StringComparison.Ordinal);
            Assert.Equal(s_references.Take(references.Count), references);
        }
    }

    [Theory]
    [InlineData(ThreeBlocks)]
    [InlineData(Crc32)]
    [InlineData(Sha256)]
    public void A_bit_flipped_anywhere_in_an_xz_file_is_noticed_or_changes_nothing(string fixture)
    {
        byte[] file = Convert.FromBase64String(fixture);
        int unnoticed = 0;
        for (int bit = 48; bit < file.Length * 8; bit++)
        {
            byte[] damaged = (byte[])file.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));

            // Some bits at the end of LZMA's data say nothing.
            (List<MemoryReference> references, TraceException? damage) = ReadAll("t", damaged);
            Assert.True(damage is not null || references.SequenceEqual(s_references));
            unnoticed += damage is null ? 1 : 0;
        }

        Assert.InRange(unnoticed, 0, 64);
    }

    [Fact]
    public void Other_filters_are_refused_with_a_remedy()
        => Assert.Contains("filters besides LZMA2", ReadAll("t", Convert.FromBase64String(DeltaFilter)).Damage!.Message, StringComparison.Ordinal);

    private static string Text()
    {
        var text = new StringBuilder();
        for (int i = 0; i < 100; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"I  {0x0401b000 + (i * 4):x8},4\n");
            text.Append(i % 2 == 0 ? string.Empty : string.Create(CultureInfo.InvariantCulture, $" L {0x1ffefff000 - (i * 8):x},8\n"));
        }

        return text.ToString();
    }
}
