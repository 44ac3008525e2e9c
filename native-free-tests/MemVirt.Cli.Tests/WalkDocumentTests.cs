using System.Text.RegularExpressions;

namespace MemVirt.Cli.Tests;

/// <summary>What docs/walk.md shows is what the tool prints.</summary>
public sealed partial class WalkDocumentTests
{
    [Fact]
    public void Output_on_the_page_is_the_tool_s()
    {
        string page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "walk.md"));
        MatchCollection blocks = Block().Matches(page);
        Assert.Equal(3, blocks.Count);
        foreach (Match block in blocks)
        {
            CliOutcome outcome = Cli.Run(block.Groups["command"].Value.Split(' '));
            Assert.Equal((0, ""), (outcome.ExitCode, outcome.Error));
            string printed = outcome.Output.ReplaceLineEndings("\n");
            string shown = block.Groups["output"].Value;
            if (shown.StartsWith("...\n", StringComparison.Ordinal))
            {
                Assert.Contains(shown[4..], printed, StringComparison.Ordinal);
            }
            else
            {
                Assert.Equal(shown, printed);
            }
        }
    }

    [GeneratedRegex("```\n\\$ memvirt (?<command>walk [^\n]*)\n(?<output>.*?)```\n", RegexOptions.Singleline)]
    private static partial Regex Block();
}
