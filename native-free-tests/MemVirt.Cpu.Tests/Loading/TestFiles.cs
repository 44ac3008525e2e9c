namespace MemVirt.Cpu.Tests.Loading;

/// <summary>Files of a test in a folder of their own, removed afterwards.</summary>
internal sealed class TestFiles : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("memvirt-load-");

    internal string Folder => _folder.FullName;

    internal string Add(string name, byte[] bytes)
    {
        string path = Path.Combine(Folder, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
