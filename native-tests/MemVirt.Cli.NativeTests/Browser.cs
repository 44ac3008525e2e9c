using Microsoft.Playwright;

namespace MemVirt.Cli.NativeTests;

/// <summary>The system's Chromium, headless; tests skip where there is none.</summary>
internal sealed class Browser : IAsyncDisposable
{
    private static readonly string[] Names = ["chromium", "chromium-browser", "google-chrome"];
    private readonly IPlaywright _playwright;
    private readonly IBrowser _browser;

    private Browser(IPlaywright playwright, IBrowser browser) => (_playwright, _browser) = (playwright, browser);

    public static async Task<Browser> Start()
    {
        string? program = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
            .SelectMany(folder => Names.Select(name => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
        Skip.If(program is null, "Chromium is not installed (chromium)");
        IPlaywright playwright = await Playwright.CreateAsync();
        IBrowser browser = await playwright.Chromium.LaunchAsync(
            new BrowserTypeLaunchOptions { ExecutablePath = program, Args = ["--no-sandbox", "--disable-gpu"] });
        return new Browser(playwright, browser);
    }

    /// <summary>Opens a file; whatever goes wrong in it, or is fetched besides it, is in the page's complaints.</summary>
    public async Task<OpenPage> Open(string path, int width, ColorScheme scheme = ColorScheme.Light)
    {
        IPage page = await _browser.NewPageAsync(
            new BrowserNewPageOptions { ViewportSize = new ViewportSize { Width = width, Height = 900 }, ColorScheme = scheme });
        var complaints = new List<string>();
        string url = new Uri(path).AbsoluteUri;
        page.Console += (_, message) => complaints.Add($"console {message.Type}: {message.Text}");
        page.PageError += (_, error) => complaints.Add($"error: {error}");
        page.Request += (_, request) =>
        {
            if (request.Url != url && !request.Url.StartsWith("data:", StringComparison.Ordinal))
            {
                complaints.Add($"fetched: {request.Url}");
            }
        };
        await page.GotoAsync(url);
        return new OpenPage(page, complaints);
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
    }
}

/// <summary>A page, and what was amiss with it so far.</summary>
internal sealed record OpenPage(IPage Page, IReadOnlyList<string> Complaints)
{
    public async Task<T> Get<T>(string expression) => await Page.EvaluateAsync<T>(expression);
}
