using System.Text.RegularExpressions;

namespace MemVirt.Cli.Tests;

/// <summary>What the documents refer to is there.</summary>
public sealed partial class DocumentTests
{
    public static TheoryData<string> Documents()
        => [.. Directory.EnumerateFiles(Repository.Root, "*.md", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Repository.Root, path))
            .Where(path => !path.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj" or "BenchmarkDotNet.Artifacts"))
            .Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Documents))]
    public void Links_lead_to_files(string document)
    {
        string path = Path.Combine(Repository.Root, document);
        foreach (Match link in Link().Matches(File.ReadAllText(path)))
        {
            string target = link.Groups["target"].Value;
            bool exists = target.Contains("://", StringComparison.Ordinal) || target.Length == 0
                || Path.Exists(Path.Combine(Path.GetDirectoryName(path)!, target));
            Assert.True(exists, $"{document}: {target} is not there");
        }
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void Commands_and_their_options_exist(string document)
    {
        foreach (Match command in Command().Matches(File.ReadAllText(Path.Combine(Repository.Root, document))))
        {
            string[] words = command.Groups["words"].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            string[] names = words[0] is "trace" or "verify" ? words[..Math.Min(2, words.Length)] : words[..1];
            CliOutcome help = Cli.Run([.. names, "--help"]);
            Assert.True(help.ExitCode == 0, $"{document}: there is no command {string.Join(' ', names)}");
            foreach (string option in words.TakeWhile(word => word != "--").Where(word => word.StartsWith("--", StringComparison.Ordinal)))
            {
                Assert.True(help.Output.Contains(option, StringComparison.Ordinal), $"{document}: {string.Join(' ', names)} has no {option}");
            }
        }
    }

    // The part before # of what stands in brackets behind a text in brackets.
    [GeneratedRegex(@"\]\((?<target>[^)#\s]*)(#[^)]*)?\)")]
    private static partial Regex Link();

    // memvirt, or the project run from the sources, at the beginning of a line, behind a prompt or in a code span; up to what ends a command.
    [GeneratedRegex(@"(?:^|\$ |`)(?:memvirt|dotnet run -c Release --project src/MemVirt\.Cli --) (?<words>[a-z][^`\n|<>]*)", RegexOptions.Multiline)]
    private static partial Regex Command();
}
