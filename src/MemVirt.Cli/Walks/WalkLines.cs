using System.Globalization;
using MemVirt.Cli.Rendering;

namespace MemVirt.Cli.Walks;

/// <summary>One line of a walk's table; the second stage's are the quieter ones.</summary>
internal readonly record struct TableLine(string Text, bool IsQuiet);

/// <summary>A walk's references as lines of text; what one cache makes needless in a row is one line.</summary>
internal static class WalkLines
{
    private const string Gap = "  ";
    private static readonly string[] Headings = ["#", "reads", "at host", "entry", "bits", "leads to", "served by"];

    internal static IEnumerable<TableLine> Of(WalkDetail walk)
    {
        var rows = new List<(string[] Cells, bool IsQuiet)>();
        for (int i = 0; i < walk.References.Count; i++)
        {
            WalkLine line = walk.References[i];
            if (line.Read)
            {
                rows.Add((Cells(line), line.Table is "ept" or "npt"));
                continue;
            }

            int last = i;
            while (last + 1 < walk.References.Count && !walk.References[last + 1].Read && walk.References[last + 1].By == line.By)
            {
                last++;
            }

            int skipped = last - i + 1;
            string span = NumberText.Line($"{line.Number}") + (skipped == 1 ? "" : NumberText.Line($"–{walk.References[last].Number}"));
            rows.Add(([span, NumberText.Line($"{(skipped == 1 ? "not read" : $"{skipped} not read")}: the {line.By} has what {(skipped == 1 ? "it" : "they")} would say")], true));
            i = last;
        }

        int[] widths = new int[Headings.Length];
        foreach (string[] cells in rows.Select(row => row.Cells).Where(cells => cells.Length == Headings.Length).Append(Headings))
        {
            for (int column = 0; column < cells.Length; column++)
            {
                widths[column] = Math.Max(widths[column], cells[column].Length);
            }
        }

        widths[0] = Math.Max(widths[0], rows.Max(row => row.Cells[0].Length));
        string rule = new('─', widths.Sum() + (Gap.Length * widths.Length));
        yield return new TableLine(rule, false);
        yield return new TableLine(Joined(Headings, widths), false);
        yield return new TableLine(rule, false);
        foreach ((string[] cells, bool isQuiet) in rows)
        {
            yield return new TableLine(Joined(cells, widths), isQuiet);
        }

        yield return new TableLine(rule, false);
    }

    private static string[] Cells(WalkLine line) =>
    [
        line.Number.ToString(CultureInfo.InvariantCulture), line.Name, line.HostAddress, line.Entry, line.Bits, line.LeadsTo ?? "—",
        NumberText.Line($"{(line.By == "read" ? "" : line.By + ", ")}{line.Cycles:0.##}"),
    ];

    private static string Joined(string[] cells, int[] widths)
        => (Gap + string.Join(Gap, cells.Select((cell, column) => column == 0 ? cell.PadLeft(widths[0]) : cell.PadRight(widths[column])))).TrimEnd();
}
