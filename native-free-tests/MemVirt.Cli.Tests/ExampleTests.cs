using System.Text.RegularExpressions;
using MemVirt.Examples;

namespace MemVirt.Cli.Tests;

/// <summary>What docs/examples.md shows is what is compiled, and prints what it says.</summary>
public sealed partial class ExampleTests
{
    public static TheoryData<string> Names() => [.. Examples().Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void An_example_prints_what_the_page_says(string name)
    {
        (string code, string printed) = Examples()[name];
        Assert.Equal(File.ReadAllText(Path.Combine(Repository.Root, "docs", "examples", name + ".cs")), code);
        using var output = new StringWriter { NewLine = "\n" };
        typeof(TranslateUnderEpt).Assembly.GetType($"MemVirt.Examples.{name}")!.GetMethod("Run")!.Invoke(null, [output]);
        Assert.Equal(printed, output.ToString());
    }

    [Fact]
    public void Each_example_is_on_the_page()
        => Assert.Equal(
            Directory.GetFiles(Path.Combine(Repository.Root, "docs", "examples"), "*.cs").Select(Path.GetFileNameWithoutExtension).Order(),
            Examples().Keys.Order());

    private static Dictionary<string, (string Code, string Printed)> Examples()
        => Block().Matches(File.ReadAllText(Path.Combine(Repository.Root, "docs", "examples.md")))
            .ToDictionary(match => match.Groups["name"].Value, match => (match.Groups["code"].Value, match.Groups["printed"].Value));

    [GeneratedRegex("`docs/examples/(?<name>\\w+)\\.cs`\n\n```csharp\n(?<code>.*?)```\n\nIt prints:\n\n```\n(?<printed>.*?)```\n", RegexOptions.Singleline)]
    private static partial Regex Block();
}
