using System.Globalization;
using System.Text;
using MemVirt.Simulation.Machines;

namespace MemVirt.Simulation.Tests.Published;

/// <summary>One point: the same references and events on both machines.</summary>
internal sealed record CrossoverPoint(CrossoverCost Shadow, CrossoverCost Nested)
{
    /// <summary>Below 1 shadow paging is cheaper, above 1 nested paging.</summary>
    internal double Ratio => Shadow.Cycles / Nested.Cycles;
}

/// <summary>Points over how often the TLB misses and how often the guest disturbs it.</summary>
internal sealed class CrossoverGrid
{
    internal const string Machine = "skylake";
    private readonly CrossoverPoint[][] _rows;

    private CrossoverGrid(Disturbance disturbance, CrossoverPoint[][] rows) => (Disturbance, _rows) = (disturbance, rows);

    /// <summary>Of a thousand references, those that go far: a row each, from few to many.</summary>
    internal static int[] FarPerThousand { get; } = [1, 3, 10, 30, 100, 300];

    /// <summary>Events for a million references: a column each.</summary>
    internal static int[] Events { get; } = [1, 3, 10, 30, 100, 300, 1000, 3000];

    internal Disturbance Disturbance { get; }

    internal CrossoverPoint this[int row, int column] => _rows[row][column];

    /// <summary>Runs a grid; a row has machines of its own.</summary>
    internal static CrossoverGrid Run(Disturbance disturbance)
    {
        var rows = new CrossoverPoint[FarPerThousand.Length][];
        Parallel.For(0, rows.Length, row => rows[row] = RunRow(FarPerThousand[row], disturbance));
        return new CrossoverGrid(disturbance, rows);
    }

    /// <summary>TLB misses of a thousand references where hardly anything else happens.</summary>
    internal double MissesOf(int row) => this[row, 0].Nested.MissesPerThousand;

    /// <summary>The first column of a row in which nested paging is cheaper; their number where there is none.</summary>
    internal int FrontierOf(int row)
    {
        int column = 0;
        while (column < Events.Length && this[row, column].Ratio < 1)
        {
            column++;
        }

        return column;
    }

    /// <summary>The grid as a table of Markdown: shadow's cycles a reference, nested's behind the stroke.</summary>
    internal string ToMarkdown()
    {
        var text = new StringBuilder("| TLB misses a thousand |");
        foreach (int events in Events)
        {
            text.Append(CultureInfo.InvariantCulture, $" {events:N0} |");
        }

        text.Append("\n|---|").Insert(text.Length, "---|", Events.Length).Append('\n');
        for (int row = FarPerThousand.Length - 1; row >= 0; row--)
        {
            text.Append(CultureInfo.InvariantCulture, $"| {MissesOf(row):0.0} |");
            foreach (CrossoverPoint point in _rows[row])
            {
                string shadow = point.Shadow.Cycles.ToString("0.00", CultureInfo.InvariantCulture);
                string nested = point.Nested.Cycles.ToString("0.00", CultureInfo.InvariantCulture);
                text.Append(point.Ratio < 1 ? $" **{shadow}** / {nested} |" : $" {shadow} / **{nested}** |");
            }

            text.Append('\n');
        }

        return text.ToString();
    }

    private static CrossoverPoint[] RunRow(int farPerThousand, Disturbance disturbance)
    {
        MachineDescription machine = MachinePresets.Load(Machine);
        using var shadow = new ShadowMachine(machine);
        using var nested = new EptMachine(machine);
        var onShadow = new CrossoverWorkload(shadow, machine);
        var onNested = new CrossoverWorkload(nested, machine);
        return
        [
            .. Events.Select(events => new CrossoverPoint(
                onShadow.Run(farPerThousand, disturbance, events), onNested.Run(farPerThousand, disturbance, events))),
        ];
    }
}
