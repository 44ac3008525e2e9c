using System.Text;
using MemVirt.Cli.BuiltIn;
using MemVirt.Cli.Guests;
using MemVirt.Cli.Html;
using MemVirt.Cli.Output;
using MemVirt.Cli.Rendering;
using MemVirt.Cli.TraceAccess;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Cli.Commands;

/// <summary>Runs what <c>memvirt compare</c> was asked for and writes what comes out.</summary>
internal static class CompareRunner
{
    public static int Run(CompareRequest request, CommandContext context)
    {
        using AtomicFile? jsonFile = request.JsonPath is null or "-" ? null : AtomicFile.Create(request.JsonPath);
        using AtomicFile? reportFile = request.Report is null ? null : AtomicFile.Create(request.Report.Path);
        bool builtIn = request.Traces.Count == 0 && request.Guest is null;
        var results = new List<ComparisonResult>();
        if (request.Guest is { } guest)
        {
            CompareGuest(guest, request, context, results);
        }
        else if (builtIn)
        {
            RunBuiltIn(request, context, results);
        }
        else
        {
            CompareOne(() => TraceOpening.OpenAll(request.Traces), "", request, context, results);
        }

        if (reportFile is not null)
        {
            CompareReport.Write(reportFile.Stream, ContentOf(request.Report!, results, builtIn));
        }

        bool asArray = builtIn || request.Options.Machines.Count > 1;
        if (request.JsonPath == "-")
        {
            using var json = new MemoryStream();
            WriteJson(json, results, asArray);
            context.Output.WriteLine(Encoding.UTF8.GetString(json.GetBuffer(), 0, (int)json.Length));
        }
        else if (jsonFile is not null)
        {
            WriteJson(jsonFile.Stream, results, asArray);
            jsonFile.Stream.WriteByte((byte)'\n');
            context.Output.Flush();
            jsonFile.Commit();
        }

        reportFile?.Commit();
        return ExitCodes.Success;
    }

    private static void RunBuiltIn(CompareRequest request, CommandContext context, List<ComparisonResult> results)
    {
        IReadOnlyList<BuiltInTrace> traces = BuiltInTraces.All;
        if (traces.Count == 0)
        {
            throw CommandException.Failure(
                "no traces are built in; give a TRACE, for example one that `memvirt record -o ls.mvt -- ls` makes");
        }

        for (int i = 0; i < traces.Count; i++)
        {
            BuiltInTrace trace = traces[i];
            if (request.JsonPath != "-")
            {
                context.Output.WriteLine($"{trace.Name}: {trace.Shows} ({trace.Program})");
            }

            CompareOne(() => [trace.Open()], $"{i + 1}/{traces.Count} {trace.Name}", request, context, results);
        }
    }

    private static void CompareGuest(GuestRequest guest, CompareRequest request, CommandContext context, List<ComparisonResult> results)
    {
        IReadOnlyList<ComparisonResult> compared = ProgressDisplay.While(
            request.ShowProgress, guest.Name, context, () => GuestComparer.Run(guest, request, context));
        context.Status.EndPiece();
        results.AddRange(compared);
        if (request.JsonPath != "-")
        {
            ComparisonReport.Write(compared, request.Options, context);
            context.Output.Flush();
        }
    }

    private static void CompareOne(
        Func<IReadOnlyList<ITraceReader>> open,
        string title,
        CompareRequest request,
        CommandContext context,
        List<ComparisonResult> results)
    {
        IReadOnlyList<ITraceReader> readers = open();
        try
        {
            IReadOnlyList<ComparisonResult> compared = ProgressDisplay.While(
                request.ShowProgress,
                title.Length > 0 ? title : "comparing",
                context,
                () => context.Compare(
                    readers,
                    request.Options,
                    progress => context.Status.Report(progress.References, progress.Fraction),
                    context.Cancellation));
            context.Status.EndPiece();
            results.AddRange(compared);
            if (request.JsonPath != "-")
            {
                ComparisonReport.Write(compared, request.Options, context);
                context.Output.Flush();
            }
        }
        finally
        {
            foreach (ITraceReader reader in readers)
            {
                reader.Dispose();
            }
        }
    }

    /// <summary>The page's content: machines alternate in the results, as every guest runs on all of them.</summary>
    private static CompareReportContent ContentOf(ReportRequest report, List<ComparisonResult> results, bool builtIn)
        => new(
            report.Command,
            [.. report.Machines.Select(OptionText.MachineJson)],
            [
                .. results.Select((result, at) => (
                    $"{TitleOf(result, builtIn ? BuiltInTraces.All[at / report.Machines.Count].Name : null)}, {result.Machine}, "
                    + $"{result.GuestPages} guest pages, {result.HostPages} host pages",
                    at % report.Machines.Count,
                    result)),
            ]);

    private static string TitleOf(ComparisonResult result, string? name)
        => name ?? string.Join(" + ", result.Inputs.Select(input => input.Path == "-" ? "standard input" : Path.GetFileName(input.Path)));

    private static void WriteJson(Stream stream, List<ComparisonResult> results, bool asArray)
    {
        if (asArray)
        {
            ResultsJson.Write(stream, results);
        }
        else
        {
            ResultsJson.Write(stream, results[0]);
        }
    }
}
