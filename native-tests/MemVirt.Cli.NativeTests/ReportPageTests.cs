using System.Text.Json;
using MemVirt.Cli.Tests;
using Microsoft.Playwright;

namespace MemVirt.Cli.NativeTests;

/// <summary>The pages of <c>--report</c> in a browser: every chart there, with the numbers of the JSON.</summary>
public sealed class ReportPageTests
{
    private static readonly string Trace = Path.Combine(AppContext.BaseDirectory, "hashjoin.mvt");

    [SkippableTheory]
    [InlineData(390, ColorScheme.Light)]
    [InlineData(390, ColorScheme.Dark)]
    [InlineData(1400, ColorScheme.Light)]
    [InlineData(1400, ColorScheme.Dark)]
    public async Task A_comparison_s_page_shows_the_numbers_of_its_JSON(int width, ColorScheme scheme)
    {
        await using Browser browser = await Browser.Start();
        using var folder = new TemporaryFolder();
        Assert.Equal(0, Tests.Cli.Run("compare", Trace, "--refs", "400000", "--report", folder.File("r.html"), "--json", folder.File("r.json")).ExitCode);
        Assert.InRange(new FileInfo(folder.File("r.html")).Length, 1, 500_000);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(folder.File("r.json")));
        OpenPage open = await browser.Open(folder.File("r.html"), width, scheme);
        await open.Page.Locator("#reuse-chart svg").WaitForAsync();

        JsonElement[] regimes = [.. json.RootElement.GetProperty("regimes").EnumerateArray()];
        double[] cycles = [.. regimes.SelectMany(regime => Causes(regime).Where(cause => cause > 0))];
        Close(cycles, await open.Get<double[]>("[...document.querySelectorAll('#overhead-chart rect')].map(bar => Number(bar.dataset.value))"));
        foreach (JsonElement details in json.RootElement.GetProperty("details").GetProperty("regimes").EnumerateArray())
        {
            string name = details.GetProperty("regime").GetString()!;
            double[] reads = [.. details.GetProperty("cells").EnumerateArray().Select(cell => cell.GetProperty("reads").GetDouble())];
            double[] shown = await open.Get<double[]>($"[...document.querySelectorAll('#grid-{name} td[data-reads]')].map(cell => Number(cell.dataset.reads))");
            Assert.Equal(reads.Order(), shown.Order());
            Assert.Equal(name is "ept" or "npt" ? 24 : 4, shown.Length);
        }

        // 200 slices make 199 strokes after the first point; a line for each regime.
        Assert.Equal("200, 200, 200, 200", string.Join(", ", await PointsOfLines(open, "misses-chart")));
        Assert.Equal("200, 200, 200, 200", string.Join(", ", await PointsOfLines(open, "walk-cycles-chart")));
        Assert.Equal("200, 200, 200", string.Join(", ", await PointsOfLines(open, "exits-time-chart")));
        double exits = await open.Get<double>("[...document.querySelectorAll('#exits-chart rect')].reduce((sum, bar) => sum + Number(bar.dataset.value), 0)");
        Assert.Equal(regimes.Sum(regime => regime.GetProperty("events").GetProperty("exits").GetDouble()), exits);
        JsonElement reuse = json.RootElement.GetProperty("details").GetProperty("reuse");
        double firstUses = reuse.GetProperty("firstUses").GetDouble() / reuse.GetProperty("uses").GetDouble();
        Assert.Equal(firstUses, await open.Get<double>("Number([...document.querySelectorAll('#reuse-chart circle')].at(-1).dataset.value)"), tolerance: 1e-12);
        Assert.Equal(2, await open.Get<int>("document.querySelectorAll('#reuse-chart svg > path[stroke-dasharray=\"3 3\"]').length"));
        Assert.True(await open.Get<bool>("document.querySelectorAll('#machine-table tbody tr').length > 20"));
        Assert.Contains("--refs 400000 --report", await open.Page.Locator("#command pre").TextContentAsync(), StringComparison.Ordinal);
        await LooksRight(open, width, scheme);
        Assert.Empty(open.Complaints);
    }

    [SkippableFact]
    public async Task Values_are_told_on_hover_on_focus_and_by_arrow_keys()
    {
        await using Browser browser = await Browser.Start();
        using var folder = new TemporaryFolder();
        Assert.Equal(0, Tests.Cli.Run("compare", Trace, "--refs", "100000", "--report", folder.File("r.html")).ExitCode);
        OpenPage open = await browser.Open(folder.File("r.html"), 1400);
        ILocator tip = open.Page.Locator("#tip");
        await open.Page.Locator("#overhead-chart rect").First.HoverAsync();
        await Assertions.Expect(tip).ToContainTextAsync("native, base: ");
        await open.Page.Locator("#grid-ept td[tabindex]").First.FocusAsync();
        await Assertions.Expect(tip).ToContainTextAsync("EPT PML4E for the guest's PML4E");
        await open.Page.Locator("#misses-chart svg").FocusAsync();
        await open.Page.Keyboard.PressAsync("End");
        string last = (await tip.TextContentAsync())!;
        await open.Page.Keyboard.PressAsync("ArrowLeft");
        Assert.StartsWith("references ", last, StringComparison.Ordinal);
        Assert.NotEqual(last, await tip.TextContentAsync());

        // Every chart can be reached by the Tab key alone.
        int stops = await open.Get<int>("document.querySelectorAll('[tabindex=\"0\"], summary').length");
        var reached = new HashSet<string>();
        await open.Page.Locator("h1").ClickAsync();
        for (int i = 0; i < stops; i++)
        {
            await open.Page.Keyboard.PressAsync("Tab");
            reached.Add(await open.Get<string>("document.activeElement.closest('section')?.id ?? ''"));
        }

        Assert.Superset(new HashSet<string> { "overhead", "walks", "time", "reuse", "exits", "machine" }, reached);
        Assert.Empty(open.Complaints);
    }

    [SkippableFact]
    public async Task Several_comparisons_are_listed_and_chosen_from()
    {
        await using Browser browser = await Browser.Start();
        using var folder = new TemporaryFolder();
        Assert.Equal(0, Tests.Cli.Run("compare", Trace, "--refs", "50000", "--machine", "skylake,zen4", "--report", folder.File("r.html")).ExitCode);
        OpenPage open = await browser.Open(folder.File("r.html"), 1400);
        Assert.Equal(2, await open.Get<int>("document.querySelectorAll('#overview tbody tr').length"));
        await open.Page.Locator("#choose").SelectOptionAsync("1");
        await Assertions.Expect(open.Page.Locator("#machine-title")).ToHaveTextAsync("The machine: zen4");
        Assert.Equal(1, await open.Get<int>("document.querySelectorAll('#overhead-chart').length"));
        Assert.Empty(open.Complaints);
    }

    [SkippableTheory]
    [InlineData(390)]
    [InlineData(1400)]
    public async Task A_sweep_s_page_draws_its_curves_and_tells_who_overtakes_whom(int width)
    {
        await using Browser browser = await Browser.Start();
        using var folder = new TemporaryFolder();
        string[] sweep =
        [
            "sweep", Trace, "--refs", "200000", "--warmup", "100000", "--machine", "skylake,zen4", "--l2-tlb-entries", "384,1536", "--guest-pages",
            "4k,2m", "--report", folder.File("s.html"), "--json", folder.File("s.json"),
        ];
        Assert.Equal(0, Tests.Cli.Run(sweep).ExitCode);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(folder.File("s.json")));
        OpenPage open = await browser.Open(folder.File("s.html"), width);
        await open.Page.Locator("#curve-3 svg").WaitForAsync();
        double[] shown = await open.Get<double[]>("[...document.querySelectorAll('#curves circle')].map(point => Number(point.dataset.value))");
        double[] expected = [.. json.RootElement.GetProperty("rows").EnumerateArray()
            .Where(row => row.GetProperty("regime").GetString() != "native").Select(row => row.GetProperty("overheadVsNative").GetDouble())];
        Close([.. expected.Order()], [.. shown.Order()], relative: 1e-5);
        Assert.Equal(4, await open.Get<int>("[...document.querySelectorAll('.verdict')].filter(verdict => /throughout|overtakes|same/.test(verdict.textContent)).length"));
        await open.Page.Locator("#axis").SelectOptionAsync("machines");
        await open.Page.Locator("#curve-0 svg").WaitForAsync();
        await open.Page.Locator("#points summary").ClickAsync();
        // A page hears that its table was opened after the click has come back.
        await Assertions.Expect(open.Page.Locator("#points tbody tr")).ToHaveCountAsync(8);
        await LooksRight(open, width, ColorScheme.Light);
        Assert.Empty(open.Complaints);
    }

    private static double[] Causes(JsonElement regime)
    {
        JsonElement cycles = regime.GetProperty("cycles");
        double references = regime.GetProperty("references").GetDouble();
        return [.. new[] { "base", "tlb", "walk", "faults", "exits" }.Select(cause => cycles.GetProperty(cause).GetDouble() / references)];
    }

    /// <summary>The points of each line of a chart: a move and a stroke to each of the others.</summary>
    private static async Task<int[]> PointsOfLines(OpenPage open, string chart)
        => await open.Get<int[]>($"[...document.querySelectorAll('#{chart} path[data-series]')].map(line => line.getAttribute('d').split(/[ML]/).length - 1)");

    /// <summary>Nothing reaches beyond the window's edge, and the theme is the one asked for.</summary>
    private static async Task LooksRight(OpenPage open, int width, ColorScheme scheme)
    {
        Assert.InRange(await open.Get<int>("document.documentElement.scrollWidth"), 0, width);
        string background = await open.Get<string>("getComputedStyle(document.body).backgroundColor");
        Assert.Equal(scheme == ColorScheme.Dark ? "rgb(20, 23, 26)" : "rgb(255, 255, 255)", background);
    }

    private static void Close(double[] expected, double[] actual, double relative = 1e-12)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, (relative * Math.Abs(pair.First)) + 1e-12));
    }
}
