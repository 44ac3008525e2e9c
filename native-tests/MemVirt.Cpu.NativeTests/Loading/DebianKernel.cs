using System.Text.RegularExpressions;

namespace MemVirt.Cpu.NativeTests.Loading;

/// <summary>Debian's cloud kernel, downloaded through apt-get; tests skip with the reason where that cannot be.</summary>
internal static class DebianKernel
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private static readonly Lazy<(string? Path, string Reason)> Fetched = new(Fetch);

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

        string kept = Path.Combine(Path.GetTempPath(), "memvirt-" + package.Groups[1].Value);
        return Kernel(kept) is { } path ? (path, "") : Download(package.Groups[1].Value, kept);
    }

    private static (string? Path, string Reason) Download(string package, string kept)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("memvirt-kernel-");
        try
        {
            (bool downloaded, string said) = HostTool.Run(folder.FullName, Patience, "apt-get", "download", package);
            string? archive = Directory.EnumerateFiles(folder.FullName, "*.deb").FirstOrDefault();
            if (!downloaded || archive is null)
            {
                return (null, $"no Debian kernel: apt-get download {package} fails: {said.Trim()}");
            }

            string content = Path.Combine(folder.FullName, "content");
            (bool extracted, said) = HostTool.Run(folder.FullName, Patience, "dpkg-deb", "-x", archive, content);
            if (!extracted)
            {
                return (null, $"no Debian kernel: dpkg-deb -x fails: {said.Trim()}");
            }

            if (!Directory.Exists(kept))
            {
                Directory.Move(content, kept);
            }

            return Kernel(kept) is { } path ? (path, "") : (null, $"no Debian kernel: {package} has no /boot/vmlinuz-*");
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
