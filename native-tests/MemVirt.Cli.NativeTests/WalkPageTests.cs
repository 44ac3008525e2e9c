using System.Text.Json;
using MemVirt.Cli.Tests;
using Microsoft.Playwright;

namespace MemVirt.Cli.NativeTests;

/// <summary>The page of <c>walk --html</c> in a browser: the grid of the JSON, stepped through by buttons and keys.</summary>
public sealed class WalkPageTests
{
    [SkippableTheory]
    [InlineData(390, ColorScheme.Light)]
    [InlineData(390, ColorScheme.Dark)]
    [InlineData(1400, ColorScheme.Light)]
    [InlineData(1400, ColorScheme.Dark)]
    public async Task The_grid_has_every_reference_of_the_JSON_in_its_place(int width, ColorScheme scheme)
    {
        await using Browser browser = await Browser.Start();
        using var folder = new TemporaryFolder();
        Assert.Equal(0, Tests.Cli.Run("walk", "--machine", "zen4", "--html", folder.File("w.html"), "--json", folder.File("w.json")).ExitCode);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(folder.File("w.json")));
        OpenPage open = await browser.Open(folder.File("w.html"), width, scheme);
        foreach (JsonElement regime in json.RootElement.GetProperty("regimes").EnumerateArray())
        {
            string id = "#walk-" + regime.GetProperty("regime").GetString();
            JsonElement[] lines = [.. regime.GetProperty("translations")[0].GetProperty("attempts")[0].GetProperty("walk").GetProperty("references").EnumerateArray()];
            int[] numbers = await open.Get<int[]>($"[...document.querySelectorAll('{id} td[data-number]')].map(cell => Number(cell.dataset.number))");
            string[] servers = await open.Get<string[]>($"[...document.querySelectorAll('{id} td[data-number]')].map(cell => cell.dataset.by)");
            Assert.Equal(lines.Select(line => line.GetProperty("number").GetInt32()), numbers);
            Assert.Equal(lines.Select(line => line.GetProperty("by").GetString()), servers);
        }

        int[] places = await open.Get<int[]>("[...document.querySelectorAll('.walk .grid tbody')].map(body => body.querySelectorAll('td').length)");
        Assert.Equal([4, 4, 25, 25], places);
        Assert.InRange(await open.Get<int>("document.documentElement.scrollWidth"), 0, width);
        Assert.Empty(open.Complaints);
    }

    [SkippableFact]
    public async Task Buttons_arrow_keys_and_cells_step_through_the_walk()
    {
        await using Browser browser = await Browser.Start();
        using var folder = new TemporaryFolder();
        Assert.Equal(0, Tests.Cli.Run("walk", "--regimes", "native,ept", "--clear", "ept.pte.write@pt", "--html", folder.File("w.html")).ExitCode);
        OpenPage open = await browser.Open(folder.File("w.html"), 1400);
        ILocator ept = open.Page.Locator("#walk-ept");
        Assert.True(await ept.Locator(".previous").IsDisabledAsync());
        await ept.Locator(".next").ClickAsync();
        await Assertions.Expect(ept.Locator(".detail h3")).ToHaveTextAsync("2. EPT PDPTE");
        await open.Page.Keyboard.PressAsync("ArrowRight");
        await open.Page.Keyboard.PressAsync("ArrowRight");
        await open.Page.Keyboard.PressAsync("ArrowLeft");
        await Assertions.Expect(ept.Locator(".detail h3")).ToHaveTextAsync("3. EPT PDE");
        await ept.Locator(".grid").FocusAsync();
        await open.Page.Keyboard.PressAsync("End");
        await Assertions.Expect(ept.Locator(".detail h3")).ToHaveTextAsync("19. EPT PTE");
        Assert.Equal("19", await ept.Locator("td.current").GetAttributeAsync("data-number"));
        Assert.Equal("19", await ept.Locator("td.faulted").GetAttributeAsync("data-number"));
        Assert.Contains("not writable", await ept.Locator(".detail").TextContentAsync(), StringComparison.Ordinal);
        Assert.Contains("0xab", await ept.Locator(".fault").TextContentAsync(), StringComparison.Ordinal);
        await ept.Locator("td[data-number='5'] button").ClickAsync();
        await Assertions.Expect(ept.Locator(".detail h3")).ToHaveTextAsync("5. guest PML4E");
        await Assertions.Expect(open.Page.Locator("#walk-native .detail h3")).ToHaveTextAsync("1. guest PML4E");

        // From the heading on, the Tab key alone reaches both grids.
        var reached = new HashSet<string>();
        await open.Page.Locator("h1").ClickAsync();
        for (int i = 0; i < 20; i++)
        {
            await open.Page.Keyboard.PressAsync("Tab");
            reached.Add(await open.Get<string>("document.activeElement.classList.contains('grid') ? document.activeElement.closest('section').id : ''"));
        }

        Assert.Superset(new HashSet<string> { "walk-native", "walk-ept" }, reached);
        Assert.Empty(open.Complaints);
    }

    [SkippableFact]
    public async Task Of_several_attempts_one_is_chosen()
    {
        await using Browser browser = await Browser.Start();
        using var folder = new TemporaryFolder();
        string trace = folder.Write("t.lackey", " S 7fffbffffffc,8\n");
        Assert.Equal(0, Tests.Cli.Run("walk", trace, "--reference", "1", "--regimes", "npt", "--html", folder.File("w.html")).ExitCode);
        OpenPage open = await browser.Open(folder.File("w.html"), 390);
        Assert.Equal(2, await open.Page.Locator("#walk-npt select").CountAsync());
        await open.Page.Locator("#walk-npt select").First.SelectOptionAsync("0");
        Assert.Contains("EXITINFO1", await open.Page.Locator("#walk-npt .fault").First.TextContentAsync(), StringComparison.Ordinal);
        Assert.InRange(await open.Get<int>("document.documentElement.scrollWidth"), 0, 390);
        Assert.Empty(open.Complaints);
    }
}
