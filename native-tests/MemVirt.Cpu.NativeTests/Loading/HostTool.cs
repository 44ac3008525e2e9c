using System.Diagnostics;

namespace MemVirt.Cpu.NativeTests.Loading;

/// <summary>Programs of the host that a test runs.</summary>
internal static class HostTool
{
    internal static bool Exists(string name)
        => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, name)));

    /// <summary>Runs a program in a folder; what it printed on both outputs, and whether it ended in time with exit code 0.</summary>
    internal static (bool Succeeded, string Output) Run(string folder, TimeSpan limit, string program, params string[] args)
    {
        var start = new ProcessStartInfo(program, args)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        bool ended = process.WaitForExit(limit);
        if (!ended)
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
        }

        return (ended && process.ExitCode == 0, output.GetAwaiter().GetResult() + error.GetAwaiter().GetResult());
    }
}
