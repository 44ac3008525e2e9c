using System.Text.Json;
using MemVirt.Simulation.Results;

namespace MemVirt.Cli.Tests;

public sealed class CompareOutputTests
{
    [Fact]
    public void The_table_fits_eighty_columns_and_is_plain_text_when_redirected()
    {
        ComparisonResult result = SampleResults.Of("skylake", Large(SampleResults.Native), Large(SampleResults.Shadow), Large(SampleResults.Ept), Large(SampleResults.Npt));
        string text = Compare([result], "--machine", "skylake").Output;
        Assert.DoesNotContain('\u001b', text);
        Assert.All(text.Split('\n').Where(line => !line.Contains("references,", StringComparison.Ordinal)), line => Assert.InRange(line.Length, 0, 80));
        Assert.All(text.Split('\n'), line => Assert.Equal(line.TrimEnd(), line));
        Assert.All(text.Split('\n'), line => Assert.DoesNotMatch("^%", line));
        Assert.Contains("987,654,321", text, StringComparison.Ordinal);
        Assert.Contains("12,346 M", text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_table_shows_what_was_compared_and_every_regime()
    {
        string text = Compare([SampleResults.Four()], "--machine", "teaching", "--warmup", "5").Output;
        Assert.Contains("gcc-cc1-20m.lackey.xz: 2,000,000 references, 909 pages (3.6 MiB)", text, StringComparison.Ordinal);
        Assert.Contains("on teaching, 4k guest pages, 4k host pages, counted after 5 references", text, StringComparison.Ordinal);
        Assert.Matches(@"native +shadow +EPT +NPT", text);
        Assert.Matches(@"L1D TLB misses +25,012 +25,012 +25,012 +25,012", text);
        Assert.Matches(@"references a walk +4\.00 +4\.00 +24\.00 +24\.00", text);
        Assert.Matches(@"VM exits +0 +1,895 +933 +933", text);
        Assert.Matches(@"dirty faults +0 +39 +0 +0", text);
        Assert.Matches(@"Overhead over native +— +\+196\.0 % +\+98\.1 % +\+98\.1 %", text);
        Assert.DoesNotContain("CR3 loads", text, StringComparison.Ordinal);
        Assert.DoesNotContain("walk-cache hits", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Walk_cache_hits_are_shown_where_the_machine_has_walk_caches()
        => Assert.Contains("walk-cache hits", Compare([SampleResults.Four("zen4")], "--machine", "zen4").Output, StringComparison.Ordinal);

    [Fact]
    public void The_verdict_names_the_winner_and_why_and_that_EPT_and_NPT_count_alike()
    {
        string text = string.Join(' ', Compare([SampleResults.Four()], "--machine", "teaching").Output.Split(
            (char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains(
            "EPT and NPT are cheapest under virtualization here: +98.1 % over native, most of it for page walks (24.00 references each "
            + "against 4.00); shadow paging pays +196.0 % over native, most of it for exits (1,895, first of all guest page faults).",
            text,
            StringComparison.Ordinal);
        Assert.Contains("EPT and NPT count alike on one machine", text, StringComparison.Ordinal);
    }

    [Fact]
    public void EPT_and_NPT_that_differ_are_told_apart()
    {
        RegimeResult npt = SampleResults.Npt with { Walks = 5_372 };
        string text = Compare([SampleResults.Of("x", SampleResults.Native, SampleResults.Ept, npt)], "--machine", "teaching").Output;
        Assert.DoesNotContain("alike", text, StringComparison.Ordinal);
        Assert.Contains("NPT pays", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_native_nothing_is_said_of_overhead()
    {
        RegimeResult ept = SampleResults.Ept with { Cycles = SampleResults.Ept.Cycles with { OverheadVsNative = null } };
        string text = Compare([SampleResults.Of("x", ept)], "--machine", "teaching").Output;
        Assert.DoesNotContain("Overhead", text, StringComparison.Ordinal);
        Assert.Contains("EPT costs 2.53 cycles a reference.", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Json_on_standard_output_is_nothing_but_one_object()
    {
        CliOutcome outcome = Compare([SampleResults.Four()], "--machine", "teaching", "--json", "-");
        Assert.Equal("", outcome.Error);
        using JsonDocument document = JsonDocument.Parse(outcome.Output);
        Assert.Equal("memvirt.compare/1", document.RootElement.GetProperty("schema").GetString());
    }

    [Fact]
    public void Json_of_several_machines_is_an_array()
    {
        CliOutcome outcome = Compare([SampleResults.Four(), SampleResults.Four("zen4")], "--machine", "teaching,zen4", "--json", "-");
        using JsonDocument document = JsonDocument.Parse(outcome.Output);
        Assert.Equal(["teaching", "zen4"], document.RootElement.EnumerateArray().Select(result => result.GetProperty("machine").GetString()));
    }

    [Fact]
    public void A_JSON_file_appears_whole_beside_the_table_and_leaves_nothing_else()
    {
        using var folder = new TemporaryFolder();
        string trace = folder.Trace();
        string json = folder.Write("out.json", "old");
        CliOutcome outcome = Cli.RunWith([SampleResults.Four()], "compare", trace, "--machine", "teaching", "--json", json);
        Assert.Equal((ExitCodes.Success, ""), (outcome.ExitCode, outcome.Error));
        Assert.Contains("native", outcome.Output, StringComparison.Ordinal);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(json));
        Assert.Equal(["out.json", "small.lackey"], folder.Names);
    }

    [Fact]
    public void Numbers_may_be_written_with_underscores()
        => Assert.Equal(ExitCodes.Success, Compare([SampleResults.Four()], "--refs", "2_000_000").ExitCode);

    private static CliOutcome Compare(IReadOnlyList<ComparisonResult> results, params string[] options)
    {
        using var folder = new TemporaryFolder();
        return Cli.RunWith(results, ["compare", folder.Trace(), .. options]);
    }

    private static RegimeResult Large(RegimeResult regime) => regime with
    {
        Walks = 987_654_321,
        WalkReferences = new WalkReferenceCounts(1, 2, 3, 12_345_678_901, 24),
        Events = regime.Events with { Exits = 987_654_321 },
        Cycles = regime.Cycles with { PerReference = 123_456.78, OverheadVsNative = 123.456 },
    };
}
