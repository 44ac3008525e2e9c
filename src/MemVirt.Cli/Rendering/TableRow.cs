namespace MemVirt.Cli.Rendering;

/// <summary>How much a row matters to someone who skims the table.</summary>
internal enum RowWeight
{
    Detail,
    Normal,
    Result,
}

/// <summary>A row of the comparison: a label, and a text for each regime.</summary>
/// <param name="StartsGroup">Whether an empty line goes before it.</param>
internal sealed record TableRow(string Label, IReadOnlyList<string> Cells, RowWeight Weight = RowWeight.Normal, bool StartsGroup = false);
