namespace MemVirt.Cli.Tests;

/// <summary>The folder that holds everything.</summary>
internal static class Repository
{
    internal static string Root { get; } = Find();

    private static string Find()
    {
        string at = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(at, "MemVirt.sln")))
        {
            at = Path.GetDirectoryName(at)!;
        }

        return at;
    }
}
