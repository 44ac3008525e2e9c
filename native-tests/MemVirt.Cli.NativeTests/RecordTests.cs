using System.Diagnostics;
using System.Text.RegularExpressions;
using MemVirt.Cli.Tests;

namespace MemVirt.Cli.NativeTests;

/// <summary><c>memvirt record</c> under a real valgrind.</summary>
public sealed class RecordTests
{
    [SkippableFact]
    public void A_recorded_program_keeps_its_streams_and_its_trace_can_be_read()
    {
        RequireValgrind();
        using var folder = new TemporaryFolder();
        string mvt = folder.File("sort.mvt");
        CliOutcome outcome = RealProcess.Shell($"printf 'b\\na\\n' | $M record -o {mvt} -- sort -r");
        Assert.Equal((0, "b\na\n"), (outcome.ExitCode, outcome.Output));
        Match said = Regex.Match(outcome.OneErrorLine(), @"sort\.mvt: ([0-9,]+) references, to the program's end");
        Assert.True(said.Success, outcome.Error);
        Assert.Equal(["sort.mvt"], folder.Names);

        string info = Cli.Tests.Cli.Run("trace", "info", mvt).Output;
        Assert.Matches($"references +{said.Groups[1].Value}\n", info);
    }

    [SkippableFact]
    public void A_program_that_fails_leaves_its_trace_and_a_note()
    {
        RequireValgrind();
        using var folder = new TemporaryFolder();
        CliOutcome outcome = RealProcess.Shell($"$M record -o {folder.File("x.mvt")} -- sh -c 'echo complaint >&2; exit 3'");
        Assert.Equal(0, outcome.ExitCode);
        Assert.Contains("complaint\n", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("ended with exit code 3", outcome.Error, StringComparison.Ordinal);
        Assert.Equal(["x.mvt"], folder.Names);
    }

    [SkippableFact]
    public void A_limit_stops_the_program()
    {
        RequireValgrind();
        using var folder = new TemporaryFolder();
        CliOutcome outcome = RealProcess.Shell($"$M record -o {folder.File("x.mvt")} --refs 100_000 -- sh -c 'while :; do :; done'");
        Assert.Equal(0, outcome.ExitCode);
        Assert.Contains("100,000 references, stopped there", outcome.OneErrorLine(), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_child_that_outlives_the_program_does_not_hold_up_the_recording()
    {
        RequireValgrind();
        using var folder = new TemporaryFolder();
        long start = Stopwatch.GetTimestamp();
        CliOutcome outcome = RealProcess.Shell(
            $"$M record -o {folder.File("x.mvt")} -- sh -c '(sleep 120) >/dev/null 2>&1 </dev/null & exit 0' 2>&1");
        Assert.Equal(0, outcome.ExitCode);
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(100), "the recording waited for the child");
        Assert.Contains("to the program's end", outcome.Output, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Ctrl_C_stops_the_program_and_leaves_no_file()
    {
        RequireValgrind();
        using var folder = new TemporaryFolder();
        using var elsewhere = new TemporaryFolder();
        string running = elsewhere.File("running");
        string loop = $"i=0; while :; do i=$((i+1)); [ $i = 60 ] && : > {running}; done";
        CliOutcome outcome = RealProcess.InterruptedOnce(running, ["record", "-o", folder.File("x.mvt"), "--", "sh", "-c", loop]);
        Assert.Equal(130, outcome.ExitCode);
        Assert.Matches("stopped after [0-9,]{6,} references", outcome.OneErrorLine());
        Assert.Empty(folder.Names);
    }

    [SkippableFact]
    public void A_full_disk_ends_the_recording_in_one_line()
    {
        RequireValgrind();
        using var folder = new TemporaryFolder();
        File.CreateSymbolicLink(folder.File("full.mvt"), "/dev/full");
        RealProcess.Shell($"$M record -o {folder.File("full.mvt")} -- sh -c 'exit 0'").FailsWith(1, "full.mvt is full");
    }

    private static void RequireValgrind() => Skip.IfNot(
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, "valgrind"))),
        "valgrind is not installed");
}
