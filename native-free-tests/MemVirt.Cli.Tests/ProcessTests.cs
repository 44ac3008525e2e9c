namespace MemVirt.Cli.Tests;

/// <summary>What only a real process shows: full disks, closed pipes, Ctrl-C. Needs a POSIX shell; passes without a check elsewhere.</summary>
public sealed class ProcessTests
{
    [Fact]
    public void A_full_disk_is_told_in_one_line()
    {
        if (OperatingSystem.IsLinux())
        {
            RealProcess.Shell("$M machines skylake > /dev/full").FailsWith(ExitCodes.Failure, "standard output is full");
            RealProcess.Shell("$M machines > /dev/full").FailsWith(ExitCodes.Failure, "standard output is full");
        }
    }

    [Fact]
    public void A_full_disk_under_an_output_file_is_told_in_one_line()
    {
        if (OperatingSystem.IsLinux())
        {
            using var folder = new TemporaryFolder();
            File.CreateSymbolicLink(folder.File("full.mvt"), "/dev/full");
            RealProcess.Shell($"$M trace convert {folder.Trace()} {folder.File("full.mvt")}").FailsWith(ExitCodes.Failure, "full.mvt is full");
            Assert.True(File.Exists("/dev/full"));
        }
    }

    [Fact]
    public void A_closed_pipe_is_told_in_one_line()
    {
        if (!OperatingSystem.IsWindows())
        {
            RealProcess.Shell("$M machines skylake | true; exit ${PIPESTATUS[0]}").FailsWith(ExitCodes.Failure, "was closed before");
        }
    }

    [Fact]
    public void Output_appends_where_the_shell_left_off()
    {
        if (!OperatingSystem.IsWindows())
        {
            using var folder = new TemporaryFolder();
            string file = folder.File("all.txt");
            RealProcess.Shell($"(echo first; $M machines teaching; echo last) > {file}");
            string[] lines = File.ReadAllLines(file);
            Assert.Equal(("first", "{", "last"), (lines[0], lines[1], lines[^1]));
        }
    }

    [Theory]
    [InlineData("trace info -")]
    [InlineData("trace convert - OUT")]
    [InlineData("compare - --json OUT.json")]
    public void Ctrl_C_stops_at_once_says_what_was_done_and_leaves_no_file(string command)
    {
        if (!OperatingSystem.IsWindows())
        {
            using var folder = new TemporaryFolder();
            string args = command.Replace("OUT.json", folder.File("out.json"), StringComparison.Ordinal)
                .Replace("OUT", folder.File("out.mvt"), StringComparison.Ordinal);
            CliOutcome outcome = RealProcess.Interrupted(args.Split(' '), feed: "I  00401000,3\n", after: TimeSpan.FromSeconds(1));
            Assert.Equal(ExitCodes.Interrupted, outcome.ExitCode);
            Assert.Contains("stopped after", outcome.OneErrorLine(), StringComparison.Ordinal);
            Assert.Empty(folder.Names);
        }
    }

    [Fact]
    public void Valgrind_missing_is_told_with_how_to_install_it()
    {
        if (!OperatingSystem.IsWindows())
        {
            using var folder = new TemporaryFolder();
            RealProcess.Shell($"set -- $M; program=$(command -v $1); PATH=/nonexistent $program $2 record -o {folder.File("x.mvt")} -- ls")
                .FailsWith(ExitCodes.Failure, "valgrind is not installed", "apt-get install valgrind");
            Assert.Empty(folder.Names);
        }
    }

    [Fact]
    public void A_trace_comes_through_standard_input()
    {
        if (!OperatingSystem.IsWindows())
        {
            CliOutcome outcome = RealProcess.Shell("printf 'I  00401000,3\\n L 7ff000010,8\\n' | $M trace info -");
            Assert.Equal((ExitCodes.Success, ""), (outcome.ExitCode, outcome.Error));
            Assert.Matches(@"references +2\n", outcome.Output);
        }
    }
}
