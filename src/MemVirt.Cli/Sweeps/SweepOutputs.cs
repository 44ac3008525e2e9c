using MemVirt.Cli.Commands;
using MemVirt.Cli.Output;

namespace MemVirt.Cli.Sweeps;

/// <summary>Where a sweep is written to.</summary>
/// <param name="Csv">A file for CSV; null for none.</param>
/// <param name="Json">A file for JSON, <c>-</c> for standard output; null for none.</param>
/// <param name="Report">A file for a page of charts; null for none.</param>
/// <param name="Command">The command line that asks for all of this.</param>
internal sealed record SweepOutputs(string? Csv, string? Json, string? Report, string Command)
{
    /// <summary>No output may be an input or the other output.</summary>
    public void Check(IEnumerable<string> inputs)
    {
        (string Option, string File)[] files =
            [.. new[] { ("--csv", Csv), ("--json", Json == "-" ? null : Json), ("--report", Report) }
                .Where(output => output.Item2 is not null).Select(output => (output.Item1, output.Item2!))];
        if (Report == "-")
        {
            throw CommandException.Usage("--report -: standard output is for text and JSON; give the name of a file");
        }

        foreach (string input in inputs)
        {
            if (Array.Find(files, output => SameFile.Is(input, output.File)).File is { } same)
            {
                throw CommandException.Usage($"{same} is one of the inputs; give another file to write");
            }
        }

        for (int i = 1; i < files.Length; i++)
        {
            if (Array.Find(files, output => output != files[i] && SameFile.Is(output.File, files[i].File)) is { File: { } twice } other)
            {
                throw CommandException.Usage($"{other.Option} and {files[i].Option} both write {twice}; give two files");
            }
        }
    }
}
