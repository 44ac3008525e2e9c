using System.Text.Json;
using System.Text.RegularExpressions;

namespace MemVirt.Cli.Tests;

/// <summary>The files of <c>--report</c>, without a browser; what they show is tested in one by the native tests.</summary>
public partial class ReportTests
{
    [Fact]
    public void A_page_is_one_file_that_fetches_nothing_and_holds_the_results()
    {
        using var folder = new TemporaryFolder();
        CliOutcome outcome = Cli.Run("compare", folder.Trace(), "--report", folder.File("r.html"), "--json", folder.File("r.json"));
        Assert.Equal((0, ""), (outcome.ExitCode, outcome.Error));
        Assert.Equal(["r.html", "r.json", "small.lackey"], folder.Names);
        string page = File.ReadAllText(folder.File("r.html"));
        Assert.DoesNotMatch(@"(src|href)\s*=\s*""(?!data:,"")|@import|url\(", page);
        JsonElement data = DataOf(page);
        using JsonDocument result = JsonDocument.Parse(File.ReadAllBytes(folder.File("r.json")));
        JsonElement shown = data.GetProperty("comparisons")[0].GetProperty("result");
        Assert.Equal("memvirt.report/1", data.GetProperty("schema").GetString());
        foreach (JsonProperty property in result.RootElement.EnumerateObject().Where(property => property.Name != "details"))
        {
            Assert.True(JsonElement.DeepEquals(property.Value, shown.GetProperty(property.Name)), property.Name);
        }

        Assert.Equal("skylake", data.GetProperty("machines")[0].GetProperty("name").GetString());
        Assert.NotEmpty(data.GetProperty("machines")[0].GetProperty("sources").EnumerateObject());
    }

    [Fact]
    public void Without_a_report_the_json_has_no_details()
    {
        using var folder = new TemporaryFolder();
        Assert.Equal(0, Cli.Run("compare", folder.Trace(), "--json", folder.File("r.json")).ExitCode);
        Assert.DoesNotContain("\"details\"", File.ReadAllText(folder.File("r.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void The_command_on_the_page_makes_the_page_again()
    {
        using var folder = new TemporaryFolder();
        string trace = folder.Write("it's <b> a trace.lackey", File.ReadAllText(folder.Trace()));
        string report = folder.File("r.html");
        Assert.Equal(0, Cli.Run("compare", "--report", report, "--refs=3", "--", trace).ExitCode);
        string page = File.ReadAllText(report);
        string command = DataOf(page).GetProperty("command").GetString()!;
        Assert.StartsWith("memvirt compare --report ", command, StringComparison.Ordinal);
        CliOutcome again = RealProcess.Shell($"$M {command["memvirt ".Length..]}");
        Assert.Equal((0, ""), (again.ExitCode, again.Error));
        Assert.Equal(Timeless(page), Timeless(File.ReadAllText(report)));
    }

    [Fact]
    public void A_trace_s_name_cannot_end_the_page_s_data()
    {
        using var folder = new TemporaryFolder();
        string trace = folder.Write("<script>alert(1)<!--.lackey", File.ReadAllText(folder.Trace()));
        Assert.Equal(0, Cli.Run("compare", trace, "--report", folder.File("r.html")).ExitCode);
        string page = File.ReadAllText(folder.File("r.html"));
        Assert.DoesNotContain("<script>alert", page, StringComparison.Ordinal);
        Assert.Contains("alert(1)", DataOf(page).GetProperty("comparisons")[0].GetProperty("title").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void All_built_in_traces_on_all_machines_fit_in_a_page()
    {
        using var folder = new TemporaryFolder();
        string machines = string.Join(',', Simulation.Machines.MachinePresets.Names);
        Assert.Equal(0, Cli.Run("compare", "--machine", machines, "--report", folder.File("r.html")).ExitCode);
        Assert.InRange(new FileInfo(folder.File("r.html")).Length, 1, 500_000);
    }

    [Fact]
    public void A_sweep_s_parts_make_the_page_of_one_run()
    {
        using var folder = new TemporaryFolder();
        string trace = folder.Trace();
        string[] sweep = ["sweep", trace, "--machine", "skylake,zen4", "--guest-pages", "4k,2m"];
        Assert.Equal(0, Cli.Run([.. sweep, "--report", folder.File("one.html")]).ExitCode);
        for (int part = 1; part <= 3; part++)
        {
            Assert.Equal(0, Cli.Run([.. sweep, "--shard", $"{part}/3", "--json", folder.File($"{part}.json")]).ExitCode);
        }

        Assert.Equal(0, Cli.Run("merge", folder.File("1.json"), folder.File("2.json"), folder.File("3.json"), "--report", folder.File("all.html")).ExitCode);
        JsonElement one = DataOf(File.ReadAllText(folder.File("one.html")));
        JsonElement all = DataOf(File.ReadAllText(folder.File("all.html")));
        Assert.True(JsonElement.DeepEquals(one.GetProperty("columns"), all.GetProperty("columns")));
        Assert.Equal(4, one.GetProperty("columns").GetProperty("ept").GetProperty("overhead").GetArrayLength());
    }

    [Theory]
    [InlineData("compare")]
    [InlineData("sweep")]
    public void Bad_places_for_a_report_are_refused_before_the_run(string command)
    {
        using var folder = new TemporaryFolder();
        string trace = folder.Trace();
        string json = folder.File("x.json");
        Cli.Run(command, trace, "--report", "-").FailsWith(ExitCodes.Usage, "--report -", "name of a file");
        Cli.Run(command, trace, "--report", trace).FailsWith(ExitCodes.Usage, trace, "another file");
        Cli.Run(command, trace, "--report", folder.Path).FailsWith(ExitCodes.Failure, "is a directory");
        Cli.Run(command, trace, "--report", folder.File("none/r.html")).FailsWith(ExitCodes.Failure, "there is no folder");
        Cli.Run(command, trace, "--report", json, "--json", json).FailsWith(ExitCodes.Usage, "--json", "--report", "two files");
        Assert.Equal(["small.lackey"], folder.Names);
    }

    private static JsonElement DataOf(string page) => JsonDocument.Parse(Data().Match(page).Groups[1].Value).RootElement;

    /// <summary>The page but for how long the simulation took.</summary>
    private static string Timeless(string page) => Cost().Replace(page, "");

    [GeneratedRegex("<script type=\"application/json\" id=\"data\">(.*?)</script>", RegexOptions.Singleline)]
    private static partial Regex Data();

    [GeneratedRegex("\"simulation\":\\{[^}]*\\}")]
    private static partial Regex Cost();
}
