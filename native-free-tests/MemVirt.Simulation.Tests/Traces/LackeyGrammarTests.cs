using System.Text;
using CsCheck;
using MemVirt.Simulation.Traces;
using MemVirt.Simulation.Traces.Lackey;
using static MemVirt.Simulation.Tests.Traces.TraceSamples;

namespace MemVirt.Simulation.Tests.Traces;

public sealed class LackeyGrammarTests
{
    [Theory]
    [InlineData("I  0401b886,3", ReferenceKind.Fetch, 0x401b886UL, 3)]
    [InlineData(" L 1ffefff8d8,8", ReferenceKind.Load, 0x1ffefff8d8UL, 8)]
    [InlineData(" S 04033b30,16", ReferenceKind.Store, 0x4033b30UL, 16)]
    [InlineData(" S 04033b30,99", ReferenceKind.Store, 0x4033b30UL, 99)]
    [InlineData(" L 04033b30,128", ReferenceKind.Load, 0x4033b30UL, 128)]
    [InlineData(" L 04033b30,16383", ReferenceKind.Load, 0x4033b30UL, 16383)]
    [InlineData(" L 4,1", ReferenceKind.Load, 4UL, 1)]
    [InlineData(" L 0,1", ReferenceKind.Load, 0UL, 1)]
    [InlineData(" L 00000000000000000004033b30,08", ReferenceKind.Load, 0x4033b30UL, 8)]
    [InlineData(" L ABCDEF0,4", ReferenceKind.Load, 0xABCDEF0UL, 4)]
    [InlineData("I  ffffffffff600000,9", ReferenceKind.Fetch, 0xffffffffff600000UL, 9)]
    [InlineData(" L 7fffffffffff,1", ReferenceKind.Load, 0x7fffffffffffUL, 1)]
    [InlineData(" L ffff800000000000,8", ReferenceKind.Load, 0xffff800000000000UL, 8)]
    [InlineData(" L 0401b886,3\r", ReferenceKind.Load, 0x401b886UL, 3)]
    public void A_line_of_the_grammar_is_a_reference(string line, ReferenceKind kind, ulong address, int size)
    {
        var expected = new MemoryReference(kind, address, size);
        foreach (string text in new[] { line + "\n", line, "I  1000,1\n" + line + "\n==9== \n" })
        {
            (List<MemoryReference> references, TraceException? damage) = ReadAll("t", Ascii(text));
            Assert.Null(damage);
            Assert.Contains(expected, references);
        }
    }

    [Fact]
    public void A_modify_is_a_load_and_then_a_store()
    {
        (List<MemoryReference> references, _) = ReadAll("t", Ascii(" M 0401b886,4\n"));
        Assert.Equal(
            [new MemoryReference(ReferenceKind.Load, 0x401b886, 4), new MemoryReference(ReferenceKind.Store, 0x401b886, 4)],
            references);
    }

    [Theory]
    [InlineData("hello")]
    [InlineData("I 0401b886,3")]
    [InlineData("I   0401b886,3")]
    [InlineData(" I 0401b886,3")]
    [InlineData("L  0401b886,3")]
    [InlineData(" X 0401b886,3")]
    [InlineData(" L 0401b886")]
    [InlineData(" L 0401b886,")]
    [InlineData(" L ,8")]
    [InlineData(" L 0401g886,8")]
    [InlineData(" L 0x401b886,8")]
    [InlineData(" L 0401b886,a")]
    [InlineData(" L 0401b886,:")]
    [InlineData(" L 0401b886,1a")]
    [InlineData(" L 0401b886,-8")]
    [InlineData(" L 0401b886,8 ")]
    [InlineData(" L 0401b886, 8")]
    [InlineData(" L 0401b886,8,8")]
    [InlineData(" L 04\0" + "1b886,8")]
    [InlineData(" L 0401b886,8\r\r")]
    [InlineData("=1=")]
    [InlineData(" ==1==")]
    public void Any_other_line_is_an_error_that_names_path_and_line(string line)
    {
        (List<MemoryReference> references, TraceException? damage) = ReadAll("dir/t.txt", Ascii($"==1== x\nI  1000,4\n\n{line}\nI  2000,4\n"));
        Assert.Single(references);
        Assert.NotNull(damage);
        Assert.StartsWith("dir/t.txt, line 4: \"", damage.Message, StringComparison.Ordinal);
        Assert.Contains("is not a line of a lackey trace", damage.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(" L 0401b886,0")]
    [InlineData(" L 0401b886,00")]
    [InlineData(" L 0401b886,16384")]
    [InlineData(" L 0401b886,99999999999999999999999999")]
    [InlineData(" L 800000000000,1")]
    [InlineData(" L 7fffffffffff,2")]
    [InlineData(" L ffff7fffffffffff,1")]
    [InlineData(" L ffffffffffffffff,2")]
    [InlineData(" L 10000000000000000,8")]
    public void A_size_or_address_out_of_range_is_an_error_of_its_own(string line)
    {
        (List<MemoryReference> references, TraceException? damage) = ReadAll("t", Ascii($"I  1000,4\n{line}\n"));
        Assert.Single(references);
        Assert.NotNull(damage);
        Assert.StartsWith("t, line 2: ", damage.Message, StringComparison.Ordinal);
        Assert.Contains("canonical", damage.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_not_printable_is_not_printed()
    {
        (_, TraceException? damage) = ReadAll("t", [0x1B, (byte)'[', (byte)'2', (byte)'J', 0xC3, 0xA9, 0, (byte)'\n']);
        Assert.Contains("\"?[2J???\"", damage!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_vector_path_equals_the_plain_one_on_lines_with_a_byte_changed()
    {
        string[] lines =
            ["I  0401b886,3", " L 1ffefff8d8,16", " S 4,1", " M 04033b30,8", " L 7ffffffff000,99", "I  123456789abcdef,7", "I  ffffffffff600000,9"];
        Gen.Select(Gen.Int[0, lines.Length - 1], Gen.Int[0, 40], Gen.Byte, Gen.Bool).Sample((which, at, value, change) =>
        {
            byte[] line = Encoding.ASCII.GetBytes(lines[which]);
            if (change && value != '\n')
            {
                line[at % line.Length] = value;
            }

            LackeyLineKind kind = LackeyLine.Parse(line, out MemoryReference reference);
            int expected = kind switch { LackeyLineKind.Reference => 1, LackeyLineKind.Modify => 2, _ => 0 };
            (List<MemoryReference> references, TraceException? damage) = ReadAll("t", [.. "I  1000,4\n"u8, .. line, (byte)'\n']);
            return references.Count == 1 + expected
                && (expected == 0 || references[1] == reference)
                && (damage is null) == (kind <= LackeyLineKind.Modify);
        }, iter: 20_000);
    }
}
