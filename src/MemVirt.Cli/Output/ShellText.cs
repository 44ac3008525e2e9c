using System.CommandLine;

namespace MemVirt.Cli.Output;

/// <summary>Text that a POSIX shell reads back as it was.</summary>
internal static class ShellText
{
    /// <summary>A word, in quotes where it needs them.</summary>
    public static string Quoted(string word)
        => word.Length > 0 && word.All(letter => char.IsAsciiLetterOrDigit(letter) || "/._-,=+:@%".Contains(letter, StringComparison.Ordinal))
            ? word
            : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    /// <summary>The command line that was parsed.</summary>
    public static string CommandLine(ParseResult parsed)
        => string.Join(' ', parsed.Tokens.Select(token => Quoted(token.Value)).Prepend("memvirt"));
}
