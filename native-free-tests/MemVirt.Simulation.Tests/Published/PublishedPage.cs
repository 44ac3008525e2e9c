namespace MemVirt.Simulation.Tests.Published;

/// <summary>The page that says what is counted here, and its picture: both are held to the counts.</summary>
internal static class PublishedPage
{
    internal const string File = "docs/published.md";

    internal static string Text => System.IO.File.ReadAllText(PathOf(File));

    /// <summary>The page with another table behind a table's name.</summary>
    internal static string WithTable(string page, string name, string table)
    {
        string begin = $"<!-- {name} -->\n";
        int start = page.IndexOf(begin, StringComparison.Ordinal);
        Assert.True(start >= 0, $"{File} has no place for {name}.");
        start += begin.Length;
        int end = page.IndexOf("\n\n", start - 1, StringComparison.Ordinal);
        return page[..start] + table.TrimEnd('\n') + page[end..];
    }

    /// <summary>With MEMVIRT_WRITE_DOCS=1 a file is written, else it must be as it is wanted, byte for byte.</summary>
    internal static void Compare(string file, Func<string, string> wanted)
    {
        string path = PathOf(file);
        string found = System.IO.File.Exists(path) ? System.IO.File.ReadAllText(path) : "";
        string text = wanted(found);
        if (Environment.GetEnvironmentVariable("MEMVIRT_WRITE_DOCS") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            System.IO.File.WriteAllText(path, text);
            return;
        }

        Assert.True(found == text, $"{file} is not what the engine counts now; MEMVIRT_WRITE_DOCS=1 writes it anew.");
    }

    private static string PathOf(string file)
    {
        string at = AppContext.BaseDirectory;
        while (!System.IO.File.Exists(Path.Combine(at, "MemVirt.sln")))
        {
            at = Path.GetDirectoryName(at)!;
        }

        return Path.Combine(at, file);
    }
}
