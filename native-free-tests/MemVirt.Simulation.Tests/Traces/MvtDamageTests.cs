using System.Globalization;
using System.Text.RegularExpressions;
using MemVirt.Simulation.Traces;
using static MemVirt.Simulation.Tests.Traces.TraceSamples;

namespace MemVirt.Simulation.Tests.Traces;

public sealed class MvtDamageTests
{
    private static readonly MemoryReference[] s_references = Program(11, 200_000);
    private static readonly byte[] s_file = Mvt(s_references);

    [Fact]
    public void A_file_cut_short_anywhere_gives_what_precedes_the_cut_and_says_so()
    {
        int intactSomewhere = 0;
        for (int length = 1; length < s_file.Length; length += StepAt(length))
        {
            (int intact, TraceException damage) = ReadDamaged(s_file[..length]);
            intactSomewhere = Math.Max(intact, intactSomewhere);
            if (length >= 8)
            {
                Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"offset {length}"), damage.Message, StringComparison.Ordinal);
            }
        }

        Assert.Equal(s_references.Length, intactSomewhere);
    }

    [Fact]
    public void A_bit_flipped_anywhere_is_noticed()
    {
        var random = new Random(12);
        int edge = 128;
        IEnumerable<int> places = Enumerable.Range(0, edge)
            .Concat(Enumerable.Range(s_file.Length - 300, 300))
            .Concat(Enumerable.Range(0, 400).Select(_ => random.Next(s_file.Length)));
        foreach (int place in places)
        {
            byte[] damaged = (byte[])s_file.Clone();
            damaged[place] ^= (byte)(1 << random.Next(8));
            ReadDamaged(damaged);
        }
    }

    [Fact]
    public void Bytes_put_in_taken_out_or_appended_are_noticed()
    {
        var random = new Random(13);
        for (int i = 0; i < 100; i++)
        {
            int place = random.Next(s_file.Length);
            int length = random.Next(1, 5000);
            ReadDamaged([.. s_file[..place], .. new byte[length], .. s_file[place..]]);
            ReadDamaged([.. s_file[..place], .. s_file[Math.Min(place + length, s_file.Length)..]]);
        }

        ReadDamaged([.. s_file, 0]);
        ReadDamaged([.. s_file, .. s_file]);
    }

    [Fact]
    public void A_writer_that_was_not_completed_leaves_a_file_cut_short()
    {
        using var file = new MemoryStream();
        using (var writer = new MvtWriter(file, leaveOpen: true))
        {
            writer.Append(s_references);
        }

        (int intact, TraceException damage) = ReadDamaged(file.ToArray());
        Assert.InRange(intact, 1, s_references.Length - 1);
        Assert.Contains("cut short", damage.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_later_version_is_refused_by_name()
    {
        byte[] later = (byte[])s_file.Clone();
        later[8] = 2;
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(
            later.AsSpan(24), System.IO.Hashing.XxHash3.HashToUInt64(later.AsSpan(0, 24)));
        Assert.Contains("version 2", ReadAll("t.mvt", later).Damage!.Message, StringComparison.Ordinal);
    }

    /// <summary>Every length near both ends, some in between.</summary>
    private static int StepAt(int length)
        => length < 200 || length >= s_file.Length - 300 ? 1 : Math.Min(4099, s_file.Length - 300 - length);

    /// <summary>Reads a damaged file, as a file and as a pipe; returns how many references precede the damage.</summary>
    private static (int Intact, TraceException Damage) ReadDamaged(byte[] bytes)
    {
        (List<MemoryReference> references, TraceException? damage) = ReadAll("t.mvt", bytes, bufferLength: 5000);
        Assert.NotNull(damage);
        Assert.True(references.Count <= s_references.Length && s_references.AsSpan(0, references.Count).SequenceEqual(references.ToArray()));
        Match remedy = Regex.Match(damage.Message, "the first (\\d+) references are intact: --refs (\\d+) uses them");
        Assert.Equal(references.Count > 0, remedy.Success);
        if (remedy.Success)
        {
            Assert.Equal(references.Count, int.Parse(remedy.Groups[1].Value, CultureInfo.InvariantCulture));
            Assert.Equal(remedy.Groups[1].Value, remedy.Groups[2].Value);
        }

        return (references.Count, damage);
    }
}
