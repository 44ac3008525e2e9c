using System.Collections.Concurrent;
using System.Diagnostics;

namespace MemVirt.Cpu.NativeTests.Images;

/// <summary>Builds each image once for a test run, with the gcc and binutils of the host; skips where there are none.</summary>
internal static class ImageBuilder
{
    private static readonly string Sources = Path.Combine(AppContext.BaseDirectory, "Images", "sources");
    private static readonly string Built = Path.Combine(AppContext.BaseDirectory, "Images", "built");
    private static readonly ConcurrentDictionary<string, Lazy<string>> Images = new();

    internal static string Build(string name)
    {
        string? missing = Array.Find(["sh", "gcc", "ld", "objcopy"], tool => HostTools.Find(tool) is null);
        Skip.If(missing is not null, $"images are built with gcc, ld and objcopy; {missing} is not installed");
        return Images.GetOrAdd(name, n => new Lazy<string>(() => BuildNow(n))).Value;
    }

    private static string BuildNow(string name)
    {
        Directory.CreateDirectory(Built);
        using var process = Process.Start(new ProcessStartInfo("sh", [Path.Combine(Sources, "build"), Built, name])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{name} does not build:\n{error}{output.Result}");
        return Path.Combine(Built, name + ".elf");
    }
}

/// <summary>Programs of the host.</summary>
internal static class HostTools
{
    internal static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(File.Exists);
}
