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
    [InlineData("--reference 0: write a whole number of at least 1", "walk TRACE --reference 0")]
    [InlineData("--reference many: write a whole number", "walk TRACE --reference many")]
    [InlineData("which reference of it? Write --reference N", "walk TRACE")]
    [InlineData("--reference 5: of which trace?", "walk --reference 5")]
    [InlineData("standard input cannot be; keep it in a file", "walk - --reference 5")]
    [InlineData("--gva is for tables made by options", "walk TRACE --reference 1 --gva 0x1000")]
    [InlineData("--set is for tables made by options", "walk TRACE --reference 1 --set guest.pte.xd")]
    [InlineData("--supervisor is for tables made by options", "walk TRACE --reference 1 --supervisor")]
    [InlineData("--user and --supervisor exclude each other", "walk --user --supervisor")]
    [InlineData("write TABLE.ENTRY.FLAG, for example guest.pte.present", "walk --set pte")]
    [InlineData("write TABLE.ENTRY.FLAG", "walk --set guest.pte.xd.b")]
    [InlineData("write TABLE.ENTRY.FLAG", "walk --clear vmcs.pte.write")]
    [InlineData("there is no entry pml6e; write pml4e, pdpte, pde, pte or leaf", "walk --set guest.pml6e.xd")]
    [InlineData("there is no flag sparkle; write present, write, user", "walk --set guest.pte.sparkle")]
    [InlineData("there is no flag xd; write present, read, write, execute", "walk --set ept.pte.xd")]
    [InlineData("there is no flag bit64", "walk --set guest.pte.bit64")]
    [InlineData("guest walks of these pages end with a pde; write guest.pde or guest.leaf", "walk --guest-pages 2m --set guest.pte.xd")]
    [InlineData("npt walks of these pages end with a pdpte", "walk --host-pages 1g --clear npt.pte.write")]
    [InlineData("@ names a table of the guest's that a second stage maps; write @pml4, @pdpt, @pd, @pt", "walk --set ept.pte.write@cr3")]
    [InlineData("@ names a table of the guest's", "walk --set guest.pte.write@pt")]
    [InlineData("write @pml4, @pdpt, @pd behind", "walk --guest-pages 2m --set ept.pte.write@pt")]
    [InlineData("shadow tables follow the guest's", "walk --set shadow.pte.write")]
    [InlineData("there is no such flag; write cr0.wp, cr4.smep", "walk --set cr4.pae")]
    [InlineData("the same bit is both set and cleared", "walk --set guest.pte.user --clear guest.pte.user")]
    [InlineData("--regimes leaves ept out", "walk --regimes npt --clear ept.pte.write")]
    [InlineData("follows guests with CR0.WP set only", "walk --regimes shadow --clear cr0.wp")]
    [InlineData("a physical address has 32 to 52 bits", "walk --physical-bits 53")]
    [InlineData("--physical-bits 31: write a whole number of at least 32", "walk --physical-bits 31")]
    [InlineData("no address bit is reserved", "walk --physical-bits 52 --set guest.pte.reserved")]
    [InlineData("--html -: standard output is for text and JSON", "walk --html -")]
    [InlineData("is the trace; give another file", "walk TRACE --reference 1 --json TRACE")]
    [InlineData("--json and --html both write", "walk --html out.x --json out.x")]
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
