using System.Globalization;
using MemVirt.Cli.Rendering;
using MemVirt.Simulation.Results;
using Spectre.Console;

namespace MemVirt.Cli.Walks;

/// <summary>An explained access on a terminal.</summary>
internal static class WalkReport
{
    private const int NarrowestWidth = 80;
    private const int WidestTable = 1000;

    public static void Write(WalkDocument document, CommandContext context)
    {
        int width = Math.Max(context.Width, NarrowestWidth);

        // Lines of tables are never broken: where one is wider than the terminal, that is the terminal's affair.
        IAnsiConsole console = SpectreTerminal.Create(context.Output, context.OutputIsTerminal, WidestTable);
        TextWriter output = context.Output;
        Paragraph(output, width, "", $"{document.Title}, {document.GuestPages} guest pages on {document.HostPages} host pages, on {document.Machine}"
            + (document.Trace is null ? ", every cache empty." : "."));
        if (document.Changes.Count > 0)
        {
            Paragraph(output, width, "", $"Changed in the tables first: {string.Join(", ", document.Changes)}.");
        }

        foreach (string note in document.Notes)
        {
            Paragraph(output, width, "", note);
        }

        foreach (WalkOfRegime regime in document.Regimes)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            output.WriteLine();
            Paragraph(output, width, "", $"{regime.Regime}: {regime.Headline}");
            foreach (WalkTranslation translation in regime.Translations)
            {
                if (regime.Translations.Count > 1)
                {
                    Paragraph(output, width, "", $"At {translation.Address}:");
                }

                Write(translation, output, console, width);
            }

            Paragraph(output, width, "", $"Why nothing cheaper: {Uncapital(regime.Why)}");
            if (regime.FirstTouch is { } events && RegimeNames.TryParse(regime.Regime, out Regime parsed))
            {
                Paragraph(output, width, "", SoftwareWords.FirstTouch(parsed, events));
            }
        }

        output.WriteLine();
        if (document.Trace?.NextWalk is { } next)
        {
            Paragraph(output, width, "", NumberText.Line($"The next reference that any of these walks for is {next:N0}."));
        }

        Paragraph(output, width, "", string.Join(", ", document.Letters.Select(letter => $"{letter.Letter} {letter.Words}")) + ".");
    }

    private static void Write(WalkTranslation translation, TextWriter output, IAnsiConsole console, int width)
    {
        bool isFromTrace = translation.Attempts.Any(attempt => attempt.Lookups.Count > 0);
        for (int i = 0; i < translation.Attempts.Count; i++)
        {
            WalkAttempt attempt = translation.Attempts[i];
            bool isLast = i == translation.Attempts.Count - 1;
            if (isFromTrace && !isLast)
            {
                Paragraph(output, width, "  ", Faulted(i + 1, attempt));
                continue;
            }

            if (isFromTrace)
            {
                string prefix = i == 0 ? "" : NumberText.Line($"Attempt {i + 1}: ");
                Paragraph(output, width, "  ", prefix + string.Join("; ", attempt.Lookups.Select(Lookup)) + ".");
            }

            if (attempt.Walk is not { } walk)
            {
                continue;
            }

            if (attempt.Hypothetical)
            {
                Paragraph(output, width, "  ", $"Had the TLBs missed: {Count(walk.Reads, "reference")} of {walk.References.Count}, "
                    + $"{WalkHeadline.Cycles(walk.Cycles)}.");
            }

            foreach (TableLine line in WalkLines.Of(walk))
            {
                console.WriteLine(line.Text, line.IsQuiet ? new Style(decoration: Decoration.Dim) : Style.Plain);
            }

            Ending(attempt, walk, output, width);
        }

        if (translation.Again is { } again)
        {
            string hits = again.CacheHits.Count == 0 ? ""
                : ": " + string.Join(", ", again.CacheHits.GroupBy(hit => hit.Cache).Select(group =>
                    $"the {group.Key} would spare {group.Sum(hit => hit.Skipped).ToString(CultureInfo.InvariantCulture)}"));
            Paragraph(output, width, "", $"The same walk right after: {Count(again.Reads, "reference")}, {WalkHeadline.Cycles(again.Cycles)}{hits}.");
        }
    }

    private static void Ending(WalkAttempt attempt, WalkDetail walk, TextWriter output, int width)
    {
        foreach (WalkLine line in walk.References.Where(line => line.Sets.Count > 0))
        {
            Paragraph(output, width, "  ", $"The walk then sets {string.Join(" and ", line.Sets)} in the {line.Name}.");
        }

        Fault(walk.Fault, "", output, width);
        if (attempt.Then is { } then)
        {
            Paragraph(output, width, "  ", $"{char.ToUpperInvariant(then[0])}{then[1..]} ({WalkHeadline.Cycles(attempt.SoftwareCycles)}).");
        }

        Fault(attempt.Injected, " injected", output, width);
    }

    private static void Fault(WalkFault? fault, string how, TextWriter output, int width)
    {
        if (fault is null)
        {
            return;
        }

        Paragraph(output, width, "  ", $"{fault.Name}{how}: {fault.Delivery}.");
        foreach (WalkFaultField field in fault.Fields)
        {
            string words = string.Join("; ", field.Bits.Where(Tells).Select(bit => $"{bit.Name}={bit.Value} {bit.Words}"));
            Paragraph(output, width, "    ", words.Length == 0 ? $"{field.Name} {field.Value}" : $"{field.Name} {field.Value}: {words}");
        }
    }

    /// <summary>Bits beyond the first nine are told where they are set.</summary>
    private static bool Tells(WalkFaultBit bit) => bit.Bit < 9 || bit.Value != 0;

    private static string Faulted(int number, WalkAttempt attempt)
    {
        WalkDetail walk = attempt.Walk!;
        WalkFault fault = walk.Fault!;
        string code = fault.Fields[0].Bits.Count > 0 ? $", {fault.Fields[0].Name} {fault.Fields[0].Value}" : "";
        string where = fault.Fields.Count > 1 && fault.Name != "#PF" ? $" at guest-physical {fault.Fields[^1].Value}" : "";
        return NumberText.Line($"Attempt {number}: {Count(walk.Reads, "reference")}, then {fault.Name}{where}{code}; {attempt.Then} ")
            + $"({WalkHeadline.Cycles(attempt.Cycles)}).";
    }

    private static string Lookup(WalkLookup lookup)
        => lookup.Hit ? $"{lookup.Level}: hit ({lookup.Structure}), {WalkHeadline.Cycles(lookup.Cycles)}"
            : lookup.DroppedForStore ? $"{lookup.Level}: an entry of a page not dirty, no use to a store ({lookup.Structure})"
            : $"{lookup.Level}: no entry";

    private static string Count(int count, string noun) => NumberText.Line($"{count} {noun}{(count == 1 ? "" : "s")}");

    private static string Uncapital(string text) => char.ToLowerInvariant(text[0]) + text[1..];

    private static void Paragraph(TextWriter output, int width, string indent, string text)
    {
        foreach (string line in WordWrap.Lines(text, width - indent.Length))
        {
            output.WriteLine(indent + line);
        }
    }
}
