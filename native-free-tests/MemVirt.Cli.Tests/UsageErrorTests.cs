namespace MemVirt.Cli.Tests;

public sealed class UsageErrorTests
{
    [Theory]
    [InlineData("a command is missing", "")]
    [InlineData("no command 'bogus'", "bogus")]
    [InlineData("the commands are info, convert", "trace")]
    [InlineData("no command 'bogus'", "trace bogus")]
    [InlineData("unknown option --bogus", "compare --bogus")]
    [InlineData("unknown option -x", "compare -x")]
    [InlineData("unknown option --refs=5x", "trace info --refs=5x")]
    [InlineData("--quantum 0: write a whole number of at least 1", "compare TRACE --quantum 0")]
    [InlineData("--quantum 1.5", "compare TRACE --quantum 1.5")]
    [InlineData("--refs -5", "compare TRACE --refs -5")]
    [InlineData("--refs 0", "compare TRACE --refs 0")]
    [InlineData("--refs many", "compare TRACE --refs many")]
    [InlineData("--refs 99999999999999999999", "compare TRACE --refs 99999999999999999999")]
    [InlineData("--warmup -1", "compare TRACE --warmup -1")]
    [InlineData("--warmup 10 leaves nothing of --refs 10", "compare TRACE --refs 10 --warmup 10")]
    [InlineData("--jobs 0", "compare TRACE --jobs 0")]
    [InlineData("unknown regime 'xen'; write some of native,shadow,ept,npt", "compare TRACE --regimes native,xen")]
    [InlineData("unknown regime ''", "compare TRACE --regimes native,")]
    [InlineData("'ept' stands there twice", "compare TRACE --regimes ept,ept")]
    [InlineData("--guest-pages 4m: there is no such page size; write 4k, 2m or 1g", "compare TRACE --guest-pages 4m")]
    [InlineData("--host-pages 1", "compare TRACE --host-pages 1")]
    [InlineData("unknown machine 'vax'; write teaching, skylake, icelake, goldencove, zen2, zen4, zen5, or a machine file", "compare TRACE --machine vax")]
    [InlineData("unknown machine ''", "compare TRACE --machine skylake,")]
    [InlineData("one standard input", "compare - -")]
    [InlineData("one standard input", "trace info - -")]
    [InlineData("'--regimes'", "compare TRACE --regimes")]
    [InlineData("'--json'", "compare TRACE --json")]
    [InlineData("is one of the traces", "compare TRACE --json TRACE")]
    [InlineData("'--refs' expects a single argument", "compare TRACE --refs 1 --refs 2")]
    [InlineData("unknown machine 'vax'; the presets are teaching", "machines vax")]
    [InlineData("'FILE'", "trace info")]
    [InlineData("'OUT'", "trace convert TRACE")]
    [InlineData("the same file", "trace convert TRACE TRACE")]
    [InlineData("the name says no format; write OUT.mvt", "trace convert TRACE out.bin")]
    [InlineData("--level 23: write 1 (fast) to 22", "trace convert TRACE out.mvt --level 23")]
    [InlineData("--level 0", "trace convert TRACE out.mvt --level 0")]
    [InlineData("'--output'", "record -- ls")]
    [InlineData("'COMMAND'", "record -o x.mvt")]
    [InlineData("a recording is a .mvt file", "record -o x.txt -- ls")]
    [InlineData("--gva xyz: write an address in hexadecimal", "walk --gva xyz")]
    [InlineData("not canonical", "walk --gva 0x800000000000")]
    [InlineData("--access jump: there is no such access; write fetch, load or store", "walk --access jump")]
    [InlineData("unknown regime 'xen'", "walk --regimes xen")]
    [InlineData("unknown machine 'vax'", "walk --machine vax")]
    public void A_wrong_command_line_is_told_in_one_line(string said, string commandLine)
    {
        using var folder = new TemporaryFolder();
        string trace = folder.Trace("trace.lackey");
        string[] args = commandLine.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Cli.Run([.. args.Select(arg => arg == "TRACE" ? trace : arg)]).FailsWith(ExitCodes.Usage, said);
        Assert.Equal(["trace.lackey"], folder.Names);
    }

    [Fact]
    public void A_trace_may_be_named_like_an_option_after_two_dashes()
        => Cli.Run("compare", "--", "-missing.mvt").FailsWith(ExitCodes.Failure, "-missing.mvt");

    [Theory]
    [InlineData("--help", "compare")]
    [InlineData("compare --help", "--host-pages")]
    [InlineData("record --help", "valgrind")]
    [InlineData("trace convert --help", "OUT.mvt")]
    [InlineData("walk --help", "--gva")]
    public void Help_is_given_where_asked_for(string commandLine, string said)
    {
        CliOutcome outcome = Cli.Run(commandLine.Split(' '));
        Assert.Equal((ExitCodes.Success, ""), (outcome.ExitCode, outcome.Error));
        Assert.Contains(said, outcome.Output, StringComparison.Ordinal);
    }
}
