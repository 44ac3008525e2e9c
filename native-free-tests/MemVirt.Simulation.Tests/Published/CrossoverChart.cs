using System.Globalization;
using System.Text;

namespace MemVirt.Simulation.Tests.Published;

/// <summary>
/// Grids side by side as an SVG: a cell a point, its number the ratio of cycles, its colour which is cheaper (blue and orange, after Okabe and
/// Ito), a line between the two. Text and lines follow the reader's light or dark scheme.
/// </summary>
internal sealed class CrossoverChart
{
    private const int Cell = 46;
    private const int CellHeight = 34;
    private const int Left = 74;
    private const int Top = 76;
    private const int PanelStep = 460;

    private const string Head = """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 916 382" role="img" aria-labelledby="title what" font-family="sans-serif" font-size="12">
        <title id="title">Where shadow paging and where nested paging is cheaper</title>
        <desc id="what">Cycles of walks and exits under shadow paging divided by those under EPT, over TLB misses and, in the left panel, page-table edits, in the right one, context switches. Shadow paging is cheaper with many misses and few events, nested paging with few misses and many events.</desc>
        <style>
        .page { fill: #ffffff } .ink { fill: #1a1a1a } .line { stroke: #1a1a1a } .halo { stroke: #ffffff }
        @media (prefers-color-scheme: dark) { .page { fill: #0d1117 } .ink { fill: #e6edf3 } .line { stroke: #e6edf3 } .halo { stroke: #0d1117 } }
        .s2 { fill: #0072b2 } .s1 { fill: #9ccbe6 } .n1 { fill: #fbe3b0 } .n2 { fill: #e69f00 } .n3 { fill: #a34700 }
        .on { fill: #111111; text-anchor: middle } .onDark { fill: #ffffff; text-anchor: middle }
        .middle { text-anchor: middle } .end { text-anchor: end } .bold { font-weight: bold }
        </style>
        <rect class="page" width="916" height="382"/>

        """;

    private readonly StringBuilder _svg = new(Head.ReplaceLineEndings("\n"));

    private CrossoverChart(CrossoverGrid edits, CrossoverGrid switches)
    {
        Text(Left, 22, "ink bold", $"Shadow paging's cycles divided by EPT's: walks and exits, {CrossoverGrid.Machine}, 4 KiB pages");
        Panel(edits, 0, "Page-table edits", "edits per million references");
        Panel(switches, PanelStep, "Context switches", "switches per million references");
        Legend();
        _svg.Append("</svg>\n");
    }

    internal static string Draw(CrossoverGrid edits, CrossoverGrid switches) => new CrossoverChart(edits, switches)._svg.ToString();

    private void Panel(CrossoverGrid grid, int shift, string title, string unit)
    {
        int left = Left + shift;
        int bottom = Top + (CrossoverGrid.FarPerThousand.Length * CellHeight);
        int middle = left + (CrossoverGrid.Events.Length * Cell / 2);
        Text(left, Top - 18, "ink bold", title);
        for (int row = 0; row < CrossoverGrid.FarPerThousand.Length; row++)
        {
            int top = TopOf(row);
            string misses = grid.MissesOf(row).ToString("0.0", CultureInfo.InvariantCulture);
            Text(left - 8, top + 22, "ink end", misses);
            for (int column = 0; column < CrossoverGrid.Events.Length; column++)
            {
                DrawCell(left + (column * Cell), top, grid[row, column].Ratio);
            }
        }

        for (int column = 0; column < CrossoverGrid.Events.Length; column++)
        {
            string events = CrossoverGrid.Events[column].ToString("N0", CultureInfo.InvariantCulture);
            Text(left + (column * Cell) + (Cell / 2), bottom + 18, "ink middle", events);
        }

        Text(middle, bottom + 38, "ink middle", unit);
        int centre = (Top + bottom) / 2;
        int axis = left - 52;
        _svg.Append(CultureInfo.InvariantCulture, $"<text class=\"ink middle\" transform=\"translate({axis} {centre}) rotate(-90)\">TLB misses per thousand references</text>\n");
        Frontier(grid, left);
    }

    private void DrawCell(int x, int y, double ratio)
    {
        string colour = ratio switch { < 0.5 => "s2", < 1 => "s1", < 2 => "n1", < 10 => "n2", _ => "n3" };
        string ink = colour is "s2" or "n3" ? "onDark" : "on";
        string number = ratio.ToString(ratio < 10 ? "0.00" : "0.0", CultureInfo.InvariantCulture);
        _svg.Append(CultureInfo.InvariantCulture, $"<rect class=\"{colour}\" x=\"{x}\" y=\"{y}\" width=\"{Cell - 1}\" height=\"{CellHeight - 1}\"/>");
        Text(x + (Cell / 2), y + 22, ink, number);
    }

    /// <summary>The line between the points at which one and at which the other is cheaper.</summary>
    private void Frontier(CrossoverGrid grid, int left)
    {
        var path = new StringBuilder();
        for (int row = CrossoverGrid.FarPerThousand.Length - 1; row >= 0; row--)
        {
            int x = left + (grid.FrontierOf(row) * Cell);
            path.Append(CultureInfo.InvariantCulture, $"{(path.Length == 0 ? "M" : "L")}{x} {TopOf(row)}V{TopOf(row) + CellHeight}");
        }

        _svg.Append(CultureInfo.InvariantCulture, $"<path class=\"halo\" fill=\"none\" stroke-width=\"6\" d=\"{path}\"/>\n");
        _svg.Append(CultureInfo.InvariantCulture, $"<path class=\"line\" fill=\"none\" stroke-width=\"2.5\" d=\"{path}\"/>\n");
    }

    private void Legend()
    {
        (string Colour, string Means)[] entries =
        [
            ("s2", "below 0.5"), ("s1", "0.5 to 1: shadow cheaper"), ("n1", "1 to 2: EPT cheaper"), ("n2", "2 to 10"), ("n3", "above 10"),
        ];
        int x = Left;
        foreach ((string colour, string means) in entries)
        {
            _svg.Append(CultureInfo.InvariantCulture, $"<rect class=\"{colour}\" x=\"{x}\" y=\"344\" width=\"16\" height=\"16\"/>");
            Text(x + 22, 357, "ink", means);
            x += 46 + (means.Length * 7);
        }
    }

    private void Text(int x, int y, string style, string text)
        => _svg.Append(CultureInfo.InvariantCulture, $"<text class=\"{style}\" x=\"{x}\" y=\"{y}\">{text}</text>\n");

    private static int TopOf(int row) => Top + ((CrossoverGrid.FarPerThousand.Length - 1 - row) * CellHeight);
}
