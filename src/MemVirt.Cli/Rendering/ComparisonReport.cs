using MemVirt.Simulation;
using MemVirt.Simulation.Results;
using Spectre.Console;

namespace MemVirt.Cli.Rendering;

/// <summary>A comparison for people: what was compared, the table, the verdict.</summary>
internal static class ComparisonReport
{
    private const int NarrowestColumns = 40;
    private const int WidestColumns = 100;

    public static void Write(IReadOnlyList<ComparisonResult> results, ComparisonOptions options, CommandContext context)
    {
        int width = Math.Clamp(context.Width, NarrowestColumns, WidestColumns);
        for (int i = 0; i < results.Count; i++)
        {
            WriteHeader(results[i], options, context.Output);
            WriteTable(Table(results[i], options.Machines[i].WalkCaches is not null), width, context);
            foreach (string line in Verdict.Of(results[i]).Concat(LeftOut(results[i])).SelectMany(sentence => WordWrap.Lines(sentence, width)))
            {
                context.Output.WriteLine(line);
            }

            context.Output.WriteLine();
        }
    }

    /// <summary>What the counts of a running guest leave out, where that is more than a thousandth of them.</summary>
    private static IEnumerable<string> LeftOut(ComparisonResult result)
    {
        const double Seldom = 0.001;
        foreach (RegimeResult regime in result.Regimes)
        {
            if (regime.OutrunWalks > Seldom * regime.Walks)
            {
                yield return NumberText.Line(
                    $"{Heading(regime.Regime)}: {regime.OutrunWalks:N0} walks met no entry and are left out, {regime.Walks:N0} are counted: the run, whose own TLB is larger, had no need of one, or the tables have changed since.");
            }

            if (regime.ReferencesNotShadowed > Seldom * regime.References)
            {
                yield return NumberText.Line(
                    $"{Heading(regime.Regime)}: {regime.ReferencesNotShadowed:N0} of {regime.References:N0} references ran under paging that shadow paging does not follow (protection keys, SMAP with CR0.WP clear); their tables were walked as they are, without its faults.");
            }
        }
    }

    private static void WriteTable(Table table, int width, CommandContext context)
    {
        if (context.OutputIsTerminal)
        {
            SpectreTerminal.Create(context.Output, isTerminal: true, width).Write(table);
            return;
        }

        // In a file the padding at the ends of lines is only noise.
        using var text = new StringWriter();
        SpectreTerminal.Create(text, isTerminal: false, width).Write(table);
        foreach (string line in text.ToString().TrimEnd().Split('\n'))
        {
            context.Output.WriteLine(line.TrimEnd());
        }
    }

    private static void WriteHeader(ComparisonResult result, ComparisonOptions options, TextWriter output)
    {
        foreach (InputSummary input in result.Inputs)
        {
            output.WriteLine(NumberText.Line(
                $"{input.Path}: {input.References:N0} references, {input.DistinctPages4k:N0} pages ({NumberText.Bytes(input.DistinctPages4k * 4096)})"));
        }

        string warmup = options.Warmup > 0 ? NumberText.Line($", counted after {options.Warmup:N0} references") : "";
        output.WriteLine($"on {result.Machine}, {result.GuestPages} guest pages, {result.HostPages} host pages{warmup}");
    }

    private static Table Table(ComparisonResult result, bool hasWalkCaches)
    {
        Table table = new Table { Border = TableBorder.Horizontal, UseSafeBorder = false };
        table.AddColumn(new TableColumn("").NoWrap());
        foreach (RegimeResult regime in result.Regimes)
        {
            table.AddColumn(new TableColumn(new Text(Heading(regime.Regime), new Style(decoration: Decoration.Bold))).RightAligned().NoWrap());
        }

        foreach (TableRow row in ComparisonRows.Of(result, hasWalkCaches))
        {
            if (row.StartsGroup)
            {
                table.AddEmptyRow();
            }

            Style style = StyleOf(row.Weight);
            table.AddRow(row.Cells.Prepend(row.Label).Select(cell => new Text(cell, style)));
        }

        return table;
    }

    private static string Heading(string regime) => regime is "ept" or "npt" ? regime.ToUpperInvariant() : regime;

    private static Style StyleOf(RowWeight weight) => weight switch
    {
        RowWeight.Detail => new Style(decoration: Decoration.Dim),
        RowWeight.Result => new Style(decoration: Decoration.Bold),
        _ => Style.Plain,
    };
}
