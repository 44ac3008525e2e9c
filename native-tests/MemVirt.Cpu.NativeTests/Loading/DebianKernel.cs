using System.Text.RegularExpressions;

namespace MemVirt.Cpu.NativeTests.Loading;

/// <summary>Debian's cloud kernel, downloaded through apt-get; tests skip with the reason where that cannot be.</summary>
internal static class DebianKernel
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private static readonly Lazy<(string? Path, string Reason)> Fetched = new(Fetch);

    private static readonly Lazy<(string? Path, string Reason)> Busybox = new(FetchBusybox);

    /// <summary>Debian's static busybox.</summary>
    internal static string RequireBusybox()
    {
        (string? path, string reason) = Busybox.Value;
        Skip.If(path is null, reason);
        return path!;
    }

    /// <summary>The kernel's file.</summary>
    internal static string Require()
    {
        (string? path, string reason) = Fetched.Value;
        Skip.If(path is null, reason);
        return path!;
    }

    private static (string? Path, string Reason) Fetch()
    {
        foreach (string tool in new[] { "apt-get", "apt-cache", "dpkg-deb" })
        {
            if (!HostTool.Exists(tool))
            {
                return (null, $"no Debian kernel: this host has no {tool}");
            }
        }

        (bool found, string depends) = HostTool.Run("/", Patience, "apt-cache", "depends", "linux-image-cloud-amd64");
        Match package = Regex.Match(depends, @"Depends: (linux-image-\d\S*-cloud-amd64)");
        if (!found || !package.Success)
        {
            return (null, "no Debian kernel: apt-cache knows no linux-image-cloud-amd64 (apt-get update may help): " + depends.Trim());
        }

        return Package(package.Groups[1].Value, Kernel);
    }

    private static (string? Path, string Reason) FetchBusybox()
        => Package("busybox-static", folder => Path.Combine(folder, "bin", "busybox") is var file && File.Exists(file) ? file : null);

    /// <summary>A file of a package, downloaded once.</summary>
    private static (string? Path, string Reason) Package(string name, Func<string, string?> find)
    {
        foreach (string tool in new[] { "apt-get", "dpkg-deb" })
        {
            if (!HostTool.Exists(tool))
            {
                return (null, $"no Debian package {name}: this host has no {tool}");
            }
        }

        string kept = Path.Combine(Path.GetTempPath(), "memvirt-" + name);
        return find(kept) is { } path ? (path, "") : Download(name, kept, find);
    }

    private static (string? Path, string Reason) Download(string package, string kept, Func<string, string?> find)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("memvirt-kernel-");
        try
        {
            (bool downloaded, string said) = HostTool.Run(folder.FullName, Patience, "apt-get", "download", package);
            string? archive = Directory.EnumerateFiles(folder.FullName, "*.deb").FirstOrDefault();
            if (!downloaded || archive is null)
            {
                return (null, $"no Debian package: apt-get download {package} fails: {said.Trim()}");
            }

            string content = Path.Combine(folder.FullName, "content");
            (bool extracted, said) = HostTool.Run(folder.FullName, Patience, "dpkg-deb", "-x", archive, content);
            if (!extracted)
            {
                return (null, $"no Debian package: dpkg-deb -x fails: {said.Trim()}");
            }

            if (!Directory.Exists(kept))
            {
                Directory.Move(content, kept);
            }

            return find(kept) is { } path ? (path, "") : (null, $"no Debian package: {package} lacks the file that is wanted");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string? Kernel(string folder)
    {
        string boot = Path.Combine(folder, "boot");
        return Directory.Exists(boot) ? Directory.EnumerateFiles(boot, "vmlinuz-*").FirstOrDefault() : null;
    }
}
