using System.Text.Json;
using System.Text.RegularExpressions;

namespace MemVirt.Cli.Tests;

/// <summary><c>memvirt walk TRACE --reference N</c>, and the files of <c>--json</c> and <c>--html</c>.</summary>
public sealed partial class WalkTraceTests
{
    // A load and a store of one page, another page of its 2 MiB region, a crossing into a page not touched yet.
    private const string Trace = "I  00401000,3\n L 00500ff0,8\n S 00500ff0,8\n L 00501ff0,8\n M 00500ff8,8\n L 00501ffc,8\n L 00501ffc,8\n";

    [Fact]
    public void Each_reference_is_explained_as_it_stood()
    {
        using var folder = new TemporaryFolder();
        string trace = folder.Write("t.lackey", Trace);
        Assert.Contains(
            "Attempt 1: 1 reference, then #PF, error code 0x4; the guest maps the page with 1 table write (1,401 cycles).",
            Unwrapped(Text(trace, 2)), StringComparison.Ordinal);
        string store = Text(trace, 3);
        Assert.Contains("Reference 3 of t.lackey: a store of 8 bytes at 0x500ff0, 4k guest pages on 4k", store, StringComparison.Ordinal);
        Assert.Contains("L1D TLB: an entry of a page not dirty, no use to a store (4k, 64 entries, 4", store, StringComparison.Ordinal);
        Assert.Contains("  1–3  3 not read: the PDE cache has what they would say\n    4  guest PTE", store, StringComparison.Ordinal);
        Assert.Contains("The walk then sets D in the guest PTE.", store, StringComparison.Ordinal);
        Assert.Contains("native: L1D TLB hit, no cycles\n", Text(trace, 5), StringComparison.Ordinal);
        Assert.Contains("a store of 8 bytes at 0x500ff8", Text(trace, 6), StringComparison.Ordinal);
        string crossing = Text(trace, 7);
        Assert.Contains("native: L1D TLB hit, no cycles; then 1 fault, then", crossing, StringComparison.Ordinal);
        Assert.Contains("At 0x502000:\n", crossing, StringComparison.Ordinal);
        Assert.Contains("Why nothing cheaper: its bytes lie in two pages. The first: a hit of the L1D TLB", crossing, StringComparison.Ordinal);
    }

    [Fact]
    public void A_hit_shows_the_walk_that_it_spared()
    {
        using var folder = new TemporaryFolder();
        JsonElement[] regimes = Regimes(folder.Write("t.lackey", Trace), 5, "--machine", "skylake");
        foreach (JsonElement regime in regimes)
        {
            JsonElement attempt = Assert.Single(regime.GetProperty("translations")[0].GetProperty("attempts").EnumerateArray());
            Assert.True(attempt.GetProperty("hypothetical").GetBoolean());
            Assert.Equal(0, regime.GetProperty("cycles").GetDouble());
            JsonElement walk = attempt.GetProperty("walk");
            int references = regime.GetProperty("regime").GetString() is "ept" or "npt" ? 24 : 4;
            Assert.Equal(references, walk.GetProperty("references").GetArrayLength());
            Assert.Equal(1, walk.GetProperty("reads").GetInt32());
            Assert.Equal(references - 1, walk.GetProperty("skipped").GetInt32());
        }
    }

    [Fact]
    public void A_second_level_hit_has_its_price_and_its_structure()
    {
        using var folder = new TemporaryFolder();
        string fill = string.Concat(Enumerable.Range(0, 65).Select(page => $" L {0x600000 + (page * 0x1000):x},8\n"));
        JsonElement native = Regimes(folder.Write("t.lackey", fill + " L 600000,8\n"), 66, "--regimes", "native")[0];
        JsonElement[] lookups = [.. native.GetProperty("translations")[0].GetProperty("attempts")[0].GetProperty("lookups").EnumerateArray()];
        Assert.Equal([false, true], lookups.Select(lookup => lookup.GetProperty("hit").GetBoolean()));
        Assert.Equal("4k+2m, 1,536 entries, 12 ways", lookups[1].GetProperty("structure").GetString());
        Assert.Equal(lookups[1].GetProperty("cycles").GetDouble(), native.GetProperty("cycles").GetDouble());
        Assert.Equal(
            "The L2 TLB had the translation, and the cheaper L1D TLB had not: displaced by others (its page was last touched by reference 1).",
            native.GetProperty("why").GetString());
    }

    [Fact]
    public void A_reference_beyond_the_trace_is_an_error_with_the_trace_s_length()
    {
        using var folder = new TemporaryFolder();
        string trace = folder.Write("t.lackey", Trace);
        Cli.Run("walk", trace, "--reference", "9").FailsWith(
            ExitCodes.Failure, "t.lackey: it has 8 references, and there is no reference 9; give a number from 1 to 8");
        Cli.Run("walk", folder.File("none.mvt"), "--reference", "1").FailsWith(ExitCodes.Failure, "none.mvt");
        string bad = folder.Write("bad.lackey", "I  00401000,3\nrubbish\n");
        Cli.Run("walk", bad, "--reference", "2", "--json", folder.File("out.json"), "--html", folder.File("out.html"))
            .FailsWith(ExitCodes.Failure, "bad.lackey", "line 2");
        Cli.Run("walk", trace, "--reference", "1", "--html", folder.File("no/out.html")).FailsWith(ExitCodes.Failure, "out.html", "there is no folder");
        Assert.Equal(["bad.lackey", "t.lackey"], folder.Names);
    }

    [Fact]
    public void The_page_holds_the_JSON_and_fetches_nothing()
    {
        using var folder = new TemporaryFolder();
        string trace = folder.Write("<script>.lackey", Trace);
        CliOutcome outcome = Cli.Run("walk", trace, "--reference", "7", "--json", folder.File("w.json"), "--html", folder.File("w.html"));
        Assert.Equal((0, ""), (outcome.ExitCode, outcome.Error));
        string page = File.ReadAllText(folder.File("w.html"));
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(folder.File("w.json")));
        using JsonDocument data = JsonDocument.Parse(Data().Match(page).Groups[1].Value);
        Assert.True(JsonElement.DeepEquals(json.RootElement, data.RootElement));
        Assert.Equal("memvirt.walk/1", json.RootElement.GetProperty("schema").GetString());
        Assert.DoesNotMatch(@"(src|href)\s*=\s*""(?!data:,"")|@import|url\(", page);
        Assert.DoesNotMatch("https?://(?!www\\.w3\\.org/2000/svg)", page);
        Assert.DoesNotContain("<script>.lackey", page, StringComparison.Ordinal);
    }

    [Fact]
    public void The_longest_explanation_fits_in_a_page()
    {
        using var folder = new TemporaryFolder();
        string trace = folder.Write("t.lackey", " S 7fffbffffffc,8\n");
        Assert.Equal(0, Cli.Run("walk", trace, "--reference", "1", "--html", folder.File("w.html")).ExitCode);
        Assert.InRange(new FileInfo(folder.File("w.html")).Length, 10_000, 400_000);
    }

    [Fact]
    public void Json_to_standard_output_stands_there_alone()
    {
        CliOutcome outcome = Cli.Run("walk", "--json", "-");
        using JsonDocument json = JsonDocument.Parse(outcome.Output);
        Assert.Equal("memvirt.walk/1", json.RootElement.GetProperty("schema").GetString());
        Assert.Equal("memvirt walk --json -", json.RootElement.GetProperty("command").GetString());
    }

    [Fact]
    public void What_the_references_cost_adds_up()
    {
        using var folder = new TemporaryFolder();
        string trace = folder.Write("t.lackey", Trace);
        for (int number = 1; number <= 8; number++)
        {
            foreach (JsonElement translation in Regimes(trace, number, "--machine", "zen5").SelectMany(regime => regime.GetProperty("translations").EnumerateArray()))
            {
                double sum = 0;
                foreach (JsonElement attempt in translation.GetProperty("attempts").EnumerateArray())
                {
                    JsonElement walk = attempt.GetProperty("walk");
                    double walked = walk.GetProperty("references").EnumerateArray().Sum(line => line.GetProperty("cycles").GetDouble())
                        + walk.GetProperty("cacheHits").EnumerateArray().Sum(hit => hit.GetProperty("cycles").GetDouble());
                    Assert.Equal(walked, walk.GetProperty("cycles").GetDouble());
                    Assert.Equal(
                        walk.GetProperty("skipped").GetInt32(),
                        walk.GetProperty("cacheHits").EnumerateArray().Sum(hit => hit.GetProperty("skipped").GetInt32()));
                    sum += attempt.GetProperty("lookups").EnumerateArray().Sum(lookup => lookup.GetProperty("cycles").GetDouble())
                        + (attempt.GetProperty("hypothetical").GetBoolean() ? 0 : walked) + attempt.GetProperty("softwareCycles").GetDouble();
                }

                Assert.Equal(sum, translation.GetProperty("cycles").GetDouble());
            }
        }
    }

    private static string Text(string trace, int reference)
    {
        CliOutcome outcome = Cli.Run("walk", trace, "--reference", $"{reference}");
        Assert.Equal((0, ""), (outcome.ExitCode, outcome.Error));
        return outcome.Output.ReplaceLineEndings("\n");
    }

    private static string Unwrapped(string text) => Spaces().Replace(text, " ");

    private static JsonElement[] Regimes(string trace, int reference, params string[] options)
    {
        CliOutcome outcome = Cli.Run(["walk", trace, "--reference", $"{reference}", "--json", "-", .. options]);
        Assert.Equal((0, ""), (outcome.ExitCode, outcome.Error));
        return [.. JsonDocument.Parse(outcome.Output).RootElement.GetProperty("regimes").EnumerateArray()];
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    [GeneratedRegex("<script type=\"application/json\" id=\"data\">(.*?)</script>", RegexOptions.Singleline)]
    private static partial Regex Data();
}
