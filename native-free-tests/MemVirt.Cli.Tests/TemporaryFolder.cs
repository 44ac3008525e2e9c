namespace MemVirt.Cli.Tests;

/// <summary>A folder of its own for each test, removed afterwards.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("memvirt-test-");

    public string Path => _folder.FullName;

    /// <summary>The names of all files in it, hidden ones too.</summary>
    public IReadOnlyList<string> Names => _folder.EnumerateFileSystemInfos().Select(entry => entry.Name).Order().ToList();

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public string Write(string name, string text)
    {
        System.IO.File.WriteAllText(File(name), text);
        return File(name);
    }

    /// <summary>A trace in lackey's text.</summary>
    public string Trace(string name = "small.lackey") => Write(name, "I  00401000,3\n L 7ff000010,8\n S 7ff000018,8\n M 7ff001ffc,8\n");

    public void Dispose() => _folder.Delete(recursive: true);
}
