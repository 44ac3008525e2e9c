using MemVirt.Simulation.Machines;

namespace MemVirt.Cli.Tests;

public sealed class BadInputTests
{
    public static TheoryData<string> Readers => ["compare", "trace info", "trace convert"];

    [Theory]
    [MemberData(nameof(Readers))]
    public void A_missing_file(string command) => Fails(command, folder => folder.File("missing.lackey"), "missing.lackey");

    [Theory]
    [MemberData(nameof(Readers))]
    public void A_directory(string command) => Fails(command, folder => folder.Path, "directory");

    [Theory]
    [MemberData(nameof(Readers))]
    public void An_empty_file(string command) => Fails(command, folder => folder.Write("empty.lackey", ""), "empty");

    [Theory]
    [MemberData(nameof(Readers))]
    public void A_trace_with_garbage_on_a_line(string command)
        => Fails(command, folder => folder.Write("bad.lackey", "I  00401000,3\n L 7ff000010,8\nrubbish\n"), "bad.lackey", "line 3");

    [Theory]
    [InlineData("compare")]
    [InlineData("trace convert")]
    public void A_truncated_mvt(string command) => Fails(command, folder => Damaged(folder, bytes => bytes[..^40]), "damaged.mvt");

    [Theory]
    [InlineData("compare")]
    [InlineData("trace convert")]
    public void A_bit_flipped_mvt(string command) => Fails(
        command,
        folder => Damaged(folder, bytes =>
        {
            bytes[bytes.Length / 2] ^= 4;
            return bytes;
        }),
        "damaged.mvt");

    [Fact]
    public void A_damaged_trace_is_described_up_to_the_damage()
    {
        using var folder = new TemporaryFolder();
        string trace = folder.Write("bad.lackey", "I  00401000,3\n L 7ff000010,8\nrubbish\n");
        CliOutcome outcome = Cli.Run("trace", "info", trace);
        Assert.Contains("line 3", outcome.OneErrorLine(), StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Failure, outcome.ExitCode);
        Assert.Contains("damaged", outcome.Output, StringComparison.Ordinal);
        Assert.Matches(@"references +2\n", outcome.Output);
    }

    [Theory]
    [InlineData("\"ways\": 12", "\"ways\": 0", "tlb.l2[0].ways: 0 is out of range; write a whole number from 1")]
    [InlineData("\"ways\": 12", "\"ways\": 7", "tlb.l2[0].ways: 1536 entries are not a multiple of 7 ways")]
    [InlineData("\"latency\": 14", "\"latency\": -1", "caches.l2.latency: -1 is out of range")]
    [InlineData("\"overlap\": 0.6,", "", "costs.overlap: missing; write")]
    [InlineData("{", "{ oops", "line 1")]
    public void An_absurd_machine_file(string from, string to, string said)
    {
        using var folder = new TemporaryFolder();
        string preset = System.Text.Encoding.UTF8.GetString(MachinePresets.Json("skylake").Span);
        int at = preset.IndexOf(from, StringComparison.Ordinal);
        string machine = folder.Write("my.json", preset.Remove(at, from.Length).Insert(at, to));
        string json = folder.File("out.json");
        Cli.Run("compare", folder.Trace(), "--machine", "teaching," + machine, "--json", json).FailsWith(ExitCodes.Failure, machine, said);
        Assert.DoesNotContain("out.json", folder.Names);
    }

    [Fact]
    public void A_missing_machine_file()
        => Cli.Run("compare", "x", "--machine", "/no/such/machine.json").FailsWith(ExitCodes.Failure, "/no/such/machine.json", "no such");

    [Fact]
    public void A_folder_that_is_not_there_for_the_output()
    {
        using var folder = new TemporaryFolder();
        string trace = folder.Trace();
        Cli.Run("compare", trace, "--json", folder.File("no/out.json")).FailsWith(ExitCodes.Failure, "out.json", "there is no folder");
        Cli.Run("trace", "convert", trace, folder.File("no/out.mvt")).FailsWith(ExitCodes.Failure, "out.mvt", "there is no folder");
        Cli.Run("compare", trace, "--json", folder.Path).FailsWith(ExitCodes.Failure, "is a directory");
    }

    [Fact]
    public void A_program_to_record_that_is_not_there()
    {
        using var folder = new TemporaryFolder();
        CliOutcome outcome = Cli.Run("record", "-o", folder.File("x.mvt"), "--", "/no/such/program");
        outcome.FailsWith(ExitCodes.Failure, "");
        Assert.Empty(folder.Names);
    }

    private static void Fails(string command, Func<TemporaryFolder, string> input, params string[] said)
    {
        using var folder = new TemporaryFolder();
        string trace = input(folder);
        string output = folder.File(command == "compare" ? "out.json" : "out.mvt");
        string[] args = command switch
        {
            "compare" => ["compare", trace, "--json", output],
            "trace info" => ["trace", "info", trace, "--json"],
            _ => ["trace", "convert", trace, output],
        };
        Cli.Run(args).FailsWith(ExitCodes.Failure, said);
        Assert.DoesNotContain(folder.Names, name => name.Contains("out.", StringComparison.Ordinal));
    }

    /// <summary>A .mvt of many references, harmed.</summary>
    private static string Damaged(TemporaryFolder folder, Func<byte[], byte[]> harm)
    {
        string text = string.Concat(Enumerable.Range(0, 50_000).Select(i => $" L {0x7f0000000000 + (i * 7919L % 100_003 * 64):x},8\n"));
        string whole = folder.File("whole.mvt");
        Assert.Equal(ExitCodes.Success, Cli.Run("trace", "convert", folder.Write("text.lackey", text), whole).ExitCode);
        string damaged = folder.File("damaged.mvt");
        File.WriteAllBytes(damaged, harm(File.ReadAllBytes(whole)));
        return damaged;
    }
}
