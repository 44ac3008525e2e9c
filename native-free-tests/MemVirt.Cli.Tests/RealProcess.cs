using System.Diagnostics;

namespace MemVirt.Cli.Tests;

/// <summary>The command as a process of its own, for what depends on real streams and signals.</summary>
internal static class RealProcess
{
    public static string Dll { get; } = Path.Combine(AppContext.BaseDirectory, "memvirt.dll");

    /// <summary>Runs a shell line in which <c>$M</c> stands for the command.</summary>
    public static CliOutcome Shell(string line)
    {
        using Process process = Launch("/bin/bash", ["-c", line], start => start.Environment["M"] = $"{Dotnet} {Dll}");
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        Assert.True(process.WaitForExit(TimeSpan.FromSeconds(60)), line + " does not end");
        return new CliOutcome(process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
    }

    /// <summary>Runs the command on a standard input that stays open, and presses Ctrl-C after a while.</summary>
    public static CliOutcome Interrupted(IReadOnlyList<string> args, string feed, TimeSpan after)
        => Interrupted(args, feed, process => process.WaitForExit(after));

    /// <summary>The same, Ctrl-C being pressed once there is a file; the command has a minute to get there.</summary>
    public static CliOutcome InterruptedOnce(string file, IReadOnlyList<string> args)
        => Interrupted(args, "", process =>
        {
            long start = Stopwatch.GetTimestamp();
            while (!process.HasExited && !File.Exists(file) && Stopwatch.GetElapsedTime(start) < TimeSpan.FromMinutes(1))
            {
                Thread.Sleep(50);
            }

            return process.HasExited;
        });

    private static CliOutcome Interrupted(IReadOnlyList<string> args, string feed, Func<Process, bool> endsBefore)
    {
        using Process process = Launch(Hearing.Value[0], [.. Hearing.Value[1..], Dotnet, Dll, .. args]);
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            Task<string> error = process.StandardError.ReadToEndAsync();
            process.StandardInput.Write(feed);
            process.StandardInput.Flush();
            Assert.False(endsBefore(process), "the command ended by itself");
            using (Process kill = Launch("kill", ["-INT", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]))
            {
                kill.WaitForExit();
            }

            Assert.True(process.WaitForExit(TimeSpan.FromSeconds(5)), "Ctrl-C does not stop the command at once");
            return new CliOutcome(process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    /// <summary>
    /// What lets a command hear Ctrl-C even where these tests run in the background of a shell, which ignores it for them and for whatever they
    /// start; GNU's env can undo that.
    /// </summary>
    private static readonly Lazy<string[]> Hearing = new(() =>
    {
        string[] hearing = ["env", "--default-signal=INT"];
        using Process trial = Launch(hearing[0], [.. hearing[1..], "true"]);
        trial.WaitForExit();
        return trial.ExitCode == 0 ? hearing : ["env"];
    });

    private static string Dotnet
        => Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet" ? Environment.ProcessPath! : "dotnet";

    private static Process Launch(string program, IEnumerable<string> args, Action<ProcessStartInfo>? more = null)
    {
        var start = new ProcessStartInfo(program, args)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        more?.Invoke(start);
        return Process.Start(start)!;
    }
}
