using System.IO.Compression;
using MemVirt.Simulation.Traces;
using ZstdSharp;
using ZstdSharp.Unsafe;
using static MemVirt.Simulation.Tests.Traces.TraceSamples;

namespace MemVirt.Simulation.Tests.Traces;

public sealed class CompressionTests
{
    private static readonly MemoryReference[] s_references = Program(20, 5000);
    private static readonly byte[] s_text = Ascii(Lackey(s_references));

    public static TheoryData<string> Methods => ["gzip", "zstd", "brotli"];

    [Theory]
    [MemberData(nameof(Methods))]
    public void A_compressed_trace_reads_like_the_text(string method)
    {
        byte[] file = Compress(method, s_text);
        foreach (int bytesAtOnce in new[] { int.MaxValue, 1, 1000 })
        {
            (List<MemoryReference> references, TraceException? damage) = ReadAll(PathOf(method), file, bytesAtOnce);
            Assert.Null(damage);
            Assert.True(references.SequenceEqual(s_references));
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void A_compressed_trace_cut_short_anywhere_is_noticed(string method)
    {
        byte[] file = Compress(method, s_text);
        for (int length = 4; length < file.Length; length += length < 60 || length > file.Length - 60 ? 1 : 97)
        {
            foreach (int bytesAtOnce in new[] { int.MaxValue, 700 })
            {
                AssertIsPrefixAndDamage(PathOf(method), file[..length], bytesAtOnce);
            }
        }
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("zstd")]
    public void A_bit_flipped_in_compressed_data_gives_no_other_references_at_the_end(string method)
    {
        byte[] file = Compress(method, s_text);
        var random = new Random(21);
        for (int i = 0; i < 300; i++)
        {
            byte[] damaged = (byte[])file.Clone();
            damaged[random.Next(file.Length)] ^= (byte)(1 << random.Next(8));
            (List<MemoryReference> references, TraceException? damage) = ReadAll(PathOf(method), damaged);
            Assert.True(damage is not null || references.SequenceEqual(s_references));
        }
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("zstd")]
    public void Compressed_pieces_one_after_another_are_one_trace(string method)
    {
        byte[] piece = Compress(method, s_text);
        foreach (int bytesAtOnce in new[] { int.MaxValue, piece.Length, 1, 100 })
        {
            (List<MemoryReference> references, TraceException? damage) = ReadAll(PathOf(method), [.. piece, .. piece], bytesAtOnce);
            Assert.Null(damage);
            Assert.Equal(2 * s_references.Length, references.Count);
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void A_compressed_mvt_is_a_mvt(string method)
        => Assert.True(ReadAll(PathOf(method), Compress(method, Mvt(s_references))).References.SequenceEqual(s_references));

    [Theory]
    [MemberData(nameof(Methods))]
    public void Nothing_compressed_is_empty(string method)
        => Assert.Contains("is empty", ReadAll(PathOf(method), Compress(method, [])).Damage!.Message, StringComparison.Ordinal);

    [Fact]
    public void Something_behind_brotli_data_is_noticed()
        => AssertIsPrefixAndDamage("t.br", [.. Compress("brotli", s_text), 0], int.MaxValue);

    private static void AssertIsPrefixAndDamage(string path, byte[] file, int bytesAtOnce)
    {
        (List<MemoryReference> references, TraceException? damage) = ReadAll(path, file, bytesAtOnce);
        Assert.NotNull(damage);
        Assert.True(references.Count <= s_references.Length);
        Assert.True(s_references.AsSpan(0, references.Count).SequenceEqual(references.ToArray()));
    }

    private static string PathOf(string method) => method == "brotli" ? "t.br" : "t";

    private static byte[] Compress(string method, byte[] bytes)
    {
        using var file = new MemoryStream();
        using (Stream compressor = method switch
        {
            "gzip" => new GZipStream(file, CompressionLevel.Optimal, leaveOpen: true),
            "brotli" => new BrotliStream(file, CompressionLevel.Optimal, leaveOpen: true),
            _ => Zstd(file),
        })
        {
            // In two pieces, so that also nothing gets a header and a trailer.
            compressor.Write(bytes.AsSpan(0, bytes.Length / 2));
            compressor.Write(bytes.AsSpan(bytes.Length / 2));
        }

        if (bytes.Length == 0 && method != "zstd")
        {
            return method == "gzip" ? Convert.FromBase64String("H4sIAAAAAAAAAwMAAAAAAAAAAAA=") : [0x3B];
        }

        return file.ToArray();
    }

    private static CompressionStream Zstd(Stream file)
    {
        var stream = new CompressionStream(file, level: 3, leaveOpen: true);
        stream.SetParameter(ZSTD_cParameter.ZSTD_c_checksumFlag, 1);
        return stream;
    }
}
