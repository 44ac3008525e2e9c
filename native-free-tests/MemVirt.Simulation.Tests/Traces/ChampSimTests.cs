using System.Buffers.Binary;
using System.IO.Compression;
using MemVirt.Simulation.Traces;
using static MemVirt.Simulation.Tests.Traces.TraceSamples;

namespace MemVirt.Simulation.Tests.Traces;

public sealed class ChampSimTests
{
    private static readonly MemoryReference[] s_ofTwoRecords =
    [
        new(ReferenceKind.Fetch, 0x401000, 1), new(ReferenceKind.Load, 0x7fff_0000_0ff8, 1), new(ReferenceKind.Load, 0x5000, 1),
        new(ReferenceKind.Store, 0x6000, 1), new(ReferenceKind.Fetch, 0xffff_ffff_8100_0000, 1),
    ];

    private static readonly byte[] s_twoRecords =
        [.. Record(0x401000, [0, 0x6000], [0, 0x7fff_0000_0ff8, 0x5000, 0]), .. Record(0xffff_ffff_8100_0000, [], [])];

    [Theory]
    [InlineData("dir/600.perl.champsimtrace")]
    [InlineData("a-champsim-trace.bin")]
    [InlineData("x.trace.gz")]
    public void A_record_is_a_fetch_then_its_loads_then_its_stores(string path)
    {
        (List<MemoryReference> references, TraceException? damage) = ReadAll(path, s_twoRecords, bufferLength: 2);
        Assert.Null(damage);
        Assert.Equal(s_ofTwoRecords, references);
    }

    [Fact]
    public void A_compressed_trace_is_told_by_its_name()
    {
        using var file = new MemoryStream();
        using (var compressor = new GZipStream(file, CompressionLevel.Fastest, leaveOpen: true))
        {
            compressor.Write(s_twoRecords);
        }

        using ITraceReader reader = TraceFile.Open("a.champsimtrace.gz", new MemoryStream(file.ToArray()));
        Assert.Equal("champsim", reader.Format);
        Assert.Equal(s_ofTwoRecords, ReadAll(reader).References);
    }

    [Fact]
    public void Text_under_the_name_of_a_champsim_trace_is_lackeys()
    {
        using ITraceReader reader = TraceFile.Open("x.trace.xz", new MemoryStream(Ascii("I  0401b886,3\nI  0401b889,4\n")));
        Assert.Equal("lackey", reader.Format);
        Assert.Equal(2, ReadAll(reader).References.Count);
    }

    [Fact]
    public void A_record_cut_short_is_an_error_with_its_offset()
    {
        (List<MemoryReference> references, TraceException? damage) = ReadAll("t.champsimtrace", [.. s_twoRecords, .. s_twoRecords[..63]]);
        Assert.Equal(s_ofTwoRecords, references);
        Assert.Contains("at offset 128", damage!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_address_that_is_not_canonical_is_an_error_with_its_record()
    {
        byte[] file = [.. s_twoRecords, .. Record(0x1000, [0x8000_0000_0000], []), .. s_twoRecords];
        (List<MemoryReference> references, TraceException? damage) = ReadAll("t.champsimtrace", file);
        Assert.Equal(s_ofTwoRecords, references);
        Assert.Contains("record 3 has the address 0x800000000000", damage!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Many_records_are_read_whole()
    {
        byte[] file = Enumerable.Repeat(s_twoRecords, 10_000).SelectMany(r => r).ToArray();
        (List<MemoryReference> references, TraceException? damage) = ReadAll("t.champsimtrace", file, bytesAtOnce: 1001);
        Assert.Null(damage);
        Assert.Equal(50_000, references.Count);
        Assert.Equal(s_ofTwoRecords, references[^5..]);
    }

    private static byte[] Record(ulong ip, ulong[] stores, ulong[] loads)
    {
        byte[] record = new byte[ChampSimReader.RecordBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(record, ip);
        record[8] = 1;
        record[10] = 26;
        for (int i = 0; i < stores.Length; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(record.AsSpan(16 + (i * 8)), stores[i]);
        }

        for (int i = 0; i < loads.Length; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(record.AsSpan(32 + (i * 8)), loads[i]);
        }

        return record;
    }
}
