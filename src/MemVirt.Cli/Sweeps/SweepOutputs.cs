using MemVirt.Cli.Commands;
using MemVirt.Cli.Output;

namespace MemVirt.Cli.Sweeps;

/// <summary>Where a sweep is written to.</summary>
/// <param name="Csv">A file for CSV; null for none.</param>
/// <param name="Json">A file for JSON, <c>-</c> for standard output; null for none.</param>
internal sealed record SweepOutputs(string? Csv, string? Json)
{
    /// <summary>No output may be an input or the other output.</summary>
    public void Check(IEnumerable<string> inputs)
    {
        string?[] files = [Csv, Json == "-" ? null : Json];
        foreach (string input in inputs)
        {
            if (Array.Find(files, file => file is not null && SameFile.Is(input, file)) is { } same)
            {
                throw CommandException.Usage($"{same} is one of the inputs; give another file to write");
            }
        }

        if (files is [{ } csv, { } json] && SameFile.Is(csv, json))
        {
            throw CommandException.Usage($"--csv and --json both write {csv}; give two files");
        }
    }
}
