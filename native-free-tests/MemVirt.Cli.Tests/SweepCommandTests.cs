namespace MemVirt.Cli.Tests;

public sealed class SweepCommandTests
{
    private static readonly string[] Points = ["--machine", "skylake,zen4", "--guest-pages", "4k,2m", "--host-pages", "4k,2m"];

    [Fact]
    public void Parts_merge_into_the_files_of_one_run()
    {
        using var folder = new TemporaryFolder();
        string[] traces = [folder.Trace("a.lackey"), folder.Trace("b.lackey")];
        CliOutcome whole = Cli.Run(["sweep", .. traces, .. Points, "--csv", folder.File("one.csv"), "--json", folder.File("one.json")]);
        Assert.Equal((0, ""), (whole.ExitCode, whole.Error));
        for (int part = 1; part <= 3; part++)
        {
            Assert.Equal(0, Cli.Run(["sweep", .. traces, .. Points, "--shard", $"{part}/3", "--json", folder.File($"{part}.json")]).ExitCode);
        }

        CliOutcome merged = Cli.Run(
            "merge", folder.File("3.json"), folder.File("1.json"), folder.File("2.json"), "--csv", folder.File("all.csv"), "--json", folder.File("all.json"));
        Assert.Equal((0, whole.Output), (merged.ExitCode, merged.Output));
        Assert.Equal(File.ReadAllBytes(folder.File("one.csv")), File.ReadAllBytes(folder.File("all.csv")));
        Assert.Equal(File.ReadAllBytes(folder.File("one.json")), File.ReadAllBytes(folder.File("all.json")));
    }

    [Fact]
    public void The_table_has_a_line_a_point_and_marks_the_cheapest()
    {
        using var folder = new TemporaryFolder();
        CliOutcome outcome = Cli.Run(["sweep", folder.Trace(), .. Points]);
        Assert.Equal(8, outcome.Output.Split('\n').Count(line => line.StartsWith("  skylake", StringComparison.Ordinal) || line.StartsWith("  zen4", StringComparison.Ordinal)));
        Assert.Contains("%*", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_part_is_named_and_nothing_is_written()
    {
        using var folder = new TemporaryFolder();
        string trace = folder.Trace();
        Cli.Run(["sweep", trace, .. Points, "--shard", "1/2", "--json", folder.File("1.json")]);
        Cli.Run("merge", folder.File("1.json"), "--csv", folder.File("all.csv")).FailsWith(ExitCodes.Failure, "of 2 parts 2 is missing", "--shard 2/2");
        Cli.Run("merge", folder.File("2.json")).FailsWith(ExitCodes.Failure, "2.json: there is no such file");
        Cli.Run("merge", trace).FailsWith(ExitCodes.Failure, "small.lackey: is no sweep's JSON");
        Assert.Equal(["1.json", "small.lackey"], folder.Names);
    }

    [Theory]
    [InlineData("write I/N", "--shard", "3")]
    [InlineData("write I/N", "--shard", "0/2")]
    [InlineData("write I/N", "--shard", "3/2")]
    [InlineData("up to the sweep's 1 points", "--shard", "1/2")]
    [InlineData("give it --json FILE", "--shard", "1/1")]
    [InlineData("stands there twice", "--guest-pages", "4k,4k")]
    [InlineData("no such page size", "--host-pages", "4k,8k")]
    [InlineData("whole number of at least 1", "--l2-tlb-entries", "0")]
    [InlineData("leaves nothing", "--refs", "10", "--warmup", "10")]
    [InlineData("unknown machine 'pdp11'", "--machine", "skylake,pdp11")]
    public void A_wrong_option_is_told(string told, params string[] options)
    {
        using var folder = new TemporaryFolder();
        Cli.Run(["sweep", folder.Trace(), .. options]).FailsWith(ExitCodes.Usage, told);
    }

    [Fact]
    public void Inputs_are_never_written_over()
    {
        using var folder = new TemporaryFolder();
        string trace = folder.Trace();
        Cli.Run("sweep", trace, "--csv", trace).FailsWith(ExitCodes.Usage, "is one of the inputs");
        Cli.Run("sweep", trace, "--csv", folder.File("x"), "--json", folder.File("x")).FailsWith(ExitCodes.Usage, "give two files");
        Cli.Run("sweep", "-").FailsWith(ExitCodes.Usage, "standard input");
        Cli.Run("sweep", trace, "--l2-tlb-entries", "1000").FailsWith(ExitCodes.Failure, "no multiple");
        Assert.Equal(["small.lackey"], folder.Names);
    }

    [Fact]
    public void The_script_for_Slurm_runs_what_is_not_there_yet()
    {
        using var folder = new TemporaryFolder();
        string trace = folder.Trace("it's a trace.lackey");
        CliOutcome written = Cli.Run(["sweep", trace, .. Points, "--slurm", folder.File("job.sh"), "--shards", "3"]);
        Assert.Contains("an array of 3 jobs", written.Output, StringComparison.Ordinal);
        string script = File.ReadAllText(folder.File("job.sh")).Replace(Environment.ProcessPath!, "$M", StringComparison.Ordinal);
        Assert.Contains("#SBATCH --array=1-3\n", script, StringComparison.Ordinal);
        folder.Write("job.sh", string.Join('\n', script.Split('\n').Select(line => line.Replace("exec $M " + RealProcess.Dll, "exec $M", StringComparison.Ordinal))));
        for (int part = 1; part <= 3; part++)
        {
            CliOutcome run = RealProcess.Shell($"cd {folder.Path}; export M SLURM_ARRAY_TASK_ID={part} SLURM_CPUS_ON_NODE=1; bash -e job.sh");
            Assert.Equal((0, ""), (run.ExitCode, run.Error));
        }

        CliOutcome again = RealProcess.Shell($"cd {folder.Path}; export M SLURM_ARRAY_TASK_ID=2 SLURM_CPUS_ON_NODE=1; bash -e job.sh");
        Assert.Equal((0, "job.part-2.json is there already\n"), (again.ExitCode, again.Output));
        Cli.Run(["sweep", trace, .. Points, "--json", folder.File("one.json")]);
        Cli.Run("merge", folder.File("job.part-1.json"), folder.File("job.part-2.json"), folder.File("job.part-3.json"), "--json", folder.File("all.json"));
        Assert.Equal(File.ReadAllBytes(folder.File("one.json")), File.ReadAllBytes(folder.File("all.json")));
    }
}
