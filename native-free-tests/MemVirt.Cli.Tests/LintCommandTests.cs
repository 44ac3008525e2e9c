using System.Text.Json;

namespace MemVirt.Cli.Tests;

public sealed class LintCommandTests
{
    private const string Tables = "memvirt-run 1\nwrite 0x1000 0x2007\nwrite 0x2000 0x3007\nwrite 0x3000 0x4007\nwrite 0x4000 0x200007\n"
                                  + "switch 0 1 0x1000\n";

    public static TheoryData<string, int> Cures => new()
    {
        { "", 1 },
        { "invlpg 0x0\n", 0 },
        { "invlpg 0x1000\n", 1 },
        { "invpcid 0 1 0x123\n", 0 },
        { "invpcid 0 2 0x123\n", 1 },
        { "invpcid 1 1 0\n", 0 },
        { "invpcid 1 2 0\n", 1 },
        { "invpcid 2\n", 0 },
        { "invpcid 3\n", 0 },
        { "invvpid 0 0 0x0\n", 0 },
        { "invvpid 1 1 0\n", 1 },
        { "invvpid 2\n", 1 },
        { "invvpid 3 0 0\n", 0 },
        { "invept 1\n", 0 },
        { "flush-all\n", 0 },
        { "mov-cr3 1 0x1000\n", 0 },
        { "switch 0 1 0x1000\n", 1 },
    };

    /// <summary>Intel SDM Vol. 3A §4.10.4.1: which instruction covers a page of PCID 1, VPID 0, at address 0.</summary>
    [Theory]
    [MemberData(nameof(Cures))]
    public void A_changed_page_is_flagged_unless_it_was_invalidated(string cure, int findings)
        => Finds(findings, Tables + "access w u 0x10\nwrite 0x4000 0x201007\n" + cure + "access w u 0x18\n");

    [Theory]
    [InlineData("write 0x4000 0\naccess r u 0x18\n", 1)]
    [InlineData("write 0x4000 0x200005\naccess r u 0x18\n", 0)]
    [InlineData("write 0x4000 0x200005\naccess w u 0x18\n", 1)]
    [InlineData("write 0x4000 0x200003\naccess r s 0x18\n", 0)]
    [InlineData("write 0x4000 0x200067\naccess w u 0x18\n", 0)]
    [InlineData("write 0x3000 0x5007\nwrite 0x5000 0x200007\naccess w u 0x18\n", 0)]
    [InlineData("write 0x3000 0x5007\nwrite 0x5000 0x201007\naccess w u 0x18\n", 1)]
    public void What_matters_is_whether_the_access_may_go_wrong(string change, int findings)
        => Finds(findings, Tables + "access w u 0x10\n" + change);

    /// <summary>§4.10.2.3: what was never used may be cached all the same.</summary>
    [Fact]
    public void Strictly_even_what_was_never_used_counts()
    {
        string run = Tables + "write 0x4000 0x201007\naccess w u 0x18\n";
        Finds(0, run);
        Finds(1, run, "--strict");
    }

    /// <summary>§4.10.2.4: a global translation serves other PCIDs, and stays when one of them is flushed.</summary>
    [Theory]
    [InlineData("mov-cr3 2 0x1000\n", 1)]
    [InlineData("mov-cr3 2 0x1000\ninvlpg 0x0\n", 0)]
    [InlineData("mov-cr3 2 0x1000\ninvpcid 3\n", 1)]
    [InlineData("mov-cr3 2 0x1000\ninvpcid 2\n", 0)]
    public void A_global_page_needs_more(string cure, int findings)
        => Finds(findings, Tables + "write 0x4000 0x200107\naccess w u 0x10\nwrite 0x4000 0x201107\n" + cure + "access w u 0x18\n");

    [Fact]
    public void A_finding_names_both_lines_the_entry_and_the_cure()
    {
        CliOutcome outcome = Run(Tables + "access w u 0x10\nwrite 0x4000 0x201007\naccess w u 0x18\naccess w u 0x20\n");
        Assert.Contains(":9: write of 0x18 in VPID 0, PCID 1 may still reach 0x200000; the tables now map 0x201000 (2 accesses)", outcome.Output,
            StringComparison.Ordinal);
        Assert.Contains("line 8 changed the PTE at 0x4000 from 0x200007 to 0x201007", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("INVLPG 0x0 in PCID 1", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void The_sample_of_the_documentation_has_its_two_findings()
    {
        string sample = Path.Combine(Root(), "docs", "samples", "missing-invlpg.run");
        CliOutcome outcome = Cli.Run("lint", "--json", sample);
        Assert.Equal(ExitCodes.Failure, outcome.ExitCode);
        using JsonDocument document = JsonDocument.Parse(outcome.Output);
        Assert.Equal([11, 21], document.RootElement.GetProperty("findings").EnumerateArray().Select(finding => finding.GetProperty("line").GetInt32()));
    }

    [Theory]
    [InlineData("", "memvirt-run 1")]
    [InlineData("rubbish\n", ":1:", "memvirt-run 1")]
    [InlineData("memvirt-run 1\nacess r u 0\n", ":2:", "no event 'acess'")]
    [InlineData("memvirt-run 1\naccess r u\n", ":2:", "the form is 'access r|w|x u|s ADDRESS'")]
    [InlineData("memvirt-run 1\naccess q u 0\n", "'q'", "r, w or x")]
    [InlineData("memvirt-run 1\naccess r q 0\n", "'q'", "u (user)")]
    [InlineData("memvirt-run 1\naccess r u 0x800000000000\n", "not canonical")]
    [InlineData("memvirt-run 1\nwrite 0x1001 7\n", "multiple of 8")]
    [InlineData("memvirt-run 1\nwrite 0x1000 seven\n", "'seven'")]
    [InlineData("memvirt-run 1\nswitch 0 4096 0x1000\n", "PCID 4096 is above 4095")]
    [InlineData("memvirt-run 1\nswitch 0 1 0x1008\n", "not the address of a table")]
    [InlineData("memvirt-run 1\ninvpcid 4 0 0\n", "INVPCID type '4'")]
    [InlineData("memvirt-run 1\nwrite 0x1000 7\nlevels 5\n", ":3:", "before the first event")]
    [InlineData("memvirt-run 1\nlevels 3\n", "4 or 5")]
    public void A_malformed_run_is_told_in_one_line(string text, params string[] parts)
    {
        using var folder = new TemporaryFolder();
        Cli.Run("lint", folder.Write("bad.run", text)).FailsWith(ExitCodes.Usage, parts);
    }

    [Fact]
    public void A_missing_run_is_told_in_one_line()
    {
        using var folder = new TemporaryFolder();
        Cli.Run("lint", folder.File("none.run")).FailsWith(ExitCodes.Usage, "none.run");
    }

    private static void Finds(int findings, string text, params string[] options)
    {
        CliOutcome outcome = Run(text, options);
        Assert.Equal("", outcome.Error);
        Assert.EndsWith($" {findings} findings\n", outcome.Output, StringComparison.Ordinal);
        Assert.Equal(findings == 0 ? ExitCodes.Success : ExitCodes.Failure, outcome.ExitCode);
    }

    private static CliOutcome Run(string text, params string[] options)
    {
        using var folder = new TemporaryFolder();
        return Cli.Run(["lint", .. options, folder.Write("a.run", text)]);
    }

    private static string Root()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "MemVirt.sln")))
        {
            folder = Path.GetDirectoryName(folder)!;
        }

        return folder;
    }
}
