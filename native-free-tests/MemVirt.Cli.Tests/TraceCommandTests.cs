using System.Text.Json;

namespace MemVirt.Cli.Tests;

public sealed class TraceCommandTests
{
    [Fact]
    public void Info_counts_what_a_trace_holds()
    {
        using var folder = new TemporaryFolder();
        CliOutcome outcome = Cli.Run("trace", "info", folder.Trace());
        Assert.Equal((ExitCodes.Success, ""), (outcome.ExitCode, outcome.Error));
        Assert.Matches(@"references +5\n", outcome.Output);
        Assert.Matches(@"loads +2 ", outcome.Output);
        Assert.Matches(@"stores +2 ", outcome.Output);
        Assert.Matches(@"page crossings +2 ", outcome.Output);
        Assert.Matches(@"distinct 4K pages +4 +16 KiB\n", outcome.Output);
    }

    [Fact]
    public void Info_of_several_files_as_JSON_is_an_array()
    {
        using var folder = new TemporaryFolder();
        CliOutcome outcome = Cli.Run("trace", "info", "--json", folder.Trace("a.lackey"), folder.Trace("b.lackey"));
        using JsonDocument document = JsonDocument.Parse(outcome.Output);
        JsonElement second = document.RootElement[1];
        Assert.Equal("lackey", second.GetProperty("format").GetString());
        Assert.Equal(4, second.GetProperty("distinctPages4k").GetInt64());
        Assert.Equal(4 * 4096, second.GetProperty("footprintBytes").GetInt64());
    }

    [Fact]
    public void Converting_there_and_back_keeps_every_reference()
    {
        using var folder = new TemporaryFolder();
        string mvt = folder.File("small.mvt");
        string back = folder.File("back.lackey");
        Assert.Equal(ExitCodes.Success, Cli.Run("trace", "convert", folder.Trace(), mvt, "--level", "1").ExitCode);
        Assert.Equal(ExitCodes.Success, Cli.Run("trace", "convert", mvt, back).ExitCode);
        Assert.Equal(
            "I  00401000,3\n L 7ff000010,8\n S 7ff000018,8\n L 7ff001ffc,8\n S 7ff001ffc,8\n", File.ReadAllText(back));
        Assert.Equal(["back.lackey", "small.lackey", "small.mvt"], folder.Names);
    }

    [Fact]
    public void Converting_may_end_between_the_halves_of_a_modify()
    {
        using var folder = new TemporaryFolder();
        string cut = folder.File("cut.lackey");
        Assert.Equal(ExitCodes.Success, Cli.Run("trace", "convert", folder.Trace(), cut, "--refs", "4").ExitCode);
        Assert.EndsWith(" L 7ff001ffc,8\n", File.ReadAllText(cut), StringComparison.Ordinal);
    }

    [Fact]
    public void A_link_to_the_input_is_the_input()
    {
        using var folder = new TemporaryFolder();
        string trace = folder.Trace();
        File.CreateSymbolicLink(folder.File("link.lackey"), trace);
        Cli.Run("trace", "convert", trace, folder.File("link.lackey")).FailsWith(ExitCodes.Usage, "the same file");
    }
}
