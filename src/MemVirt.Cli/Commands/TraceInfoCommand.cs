using System.CommandLine;
using System.Text.Json;
using MemVirt.Cli.Rendering;
using MemVirt.Cli.TraceAccess;
using MemVirt.Simulation.Traces;

namespace MemVirt.Cli.Commands;

/// <summary><c>memvirt trace info</c>: what a trace holds, read to its end.</summary>
internal static class TraceInfoCommand
{
    public static Command Create(CommandContext context)
    {
        var files = new Argument<string[]>("FILE") { Arity = ArgumentArity.OneOrMore, Description = "Traces; - for standard input." };
        var json = new Option<bool>("--json") { Description = "JSON on standard output: an object, or an array for several files." };
        var noProgress = new Option<bool>("--no-progress") { Description = "No progress bar (there is one only on a terminal)." };
        var command = new Command("info", "Count what traces hold: references by kind, page crossings, distinct pages.")
        {
            files, json, noProgress,
        };
        command.SetAction(parsed => Run(
            parsed.GetRequiredValue(files), parsed.GetValue(json), !parsed.GetValue(noProgress), context));
        return command;
    }

    private static int Run(string[] files, bool json, bool showProgress, CommandContext context)
    {
        if (files.Count(file => file == "-") > 1)
        {
            throw CommandException.Usage("- stands there twice, and there is one standard input; give it once");
        }

        var summaries = new List<TraceSummary>();
        foreach (string file in files)
        {
            TraceSummary summary = Summarise(file, showProgress, context);
            summaries.Add(summary);
            if (!json)
            {
                summary.Write(context.Output);
            }

            if (summary.Damage is { } damage)
            {
                context.Output.Flush();
                throw damage;
            }
        }

        if (json)
        {
            context.Output.WriteLine(summaries.Count == 1
                ? JsonSerializer.Serialize(summaries[0], TraceSummaryJson.Default.TraceSummary)
                : JsonSerializer.Serialize(summaries, TraceSummaryJson.Default.ListTraceSummary));
        }

        return ExitCodes.Success;
    }

    /// <summary>Reads a trace to its end; where it is damaged, the counts are those of the references before the damage.</summary>
    private static TraceSummary Summarise(string file, bool showProgress, CommandContext context)
    {
        using ITraceReader reader = TraceOpening.Open(file);
        var statistics = new TraceStatistics();
        TraceException? damage = null;
        ProgressDisplay.While(showProgress, "reading", context, () =>
        {
            try
            {
                return TraceCopy.Run(reader, null, statistics.Add, context);
            }
            catch (TraceException exception)
            {
                damage = exception;
                return 0;
            }
        });
        context.Status.EndPiece();
        return new TraceSummary(
            reader.Path,
            reader.Format,
            statistics.References,
            statistics.InstructionFetches,
            statistics.Loads,
            statistics.Stores,
            statistics.Crossings,
            statistics.DistinctPages4k)
        {
            Damage = damage,
        };
    }
}
