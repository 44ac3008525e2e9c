namespace MemVirt.Cli.Rendering;

/// <summary>Breaks sentences into lines between words, but never between a number and its percent sign.</summary>
internal static class WordWrap
{
    public static IEnumerable<string> Lines(string sentence, int width)
    {
        string line = "";
        foreach (string word in sentence.Replace(" %", "\u00a0%", StringComparison.Ordinal).Split(' '))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                yield return Plain(line);
                line = "";
            }

            line = line.Length == 0 ? word : $"{line} {word}";
        }

        yield return Plain(line);
    }

    private static string Plain(string line) => line.Replace('\u00a0', ' ');
}
