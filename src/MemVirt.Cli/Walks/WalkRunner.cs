using System.Text;
using System.Text.Json;
using MemVirt.Cli.BuiltIn;
using MemVirt.Cli.Html;
using MemVirt.Cli.Output;
using MemVirt.Cli.Rendering;
using MemVirt.Cli.TraceAccess;
using MemVirt.Core.Addresses;
using MemVirt.Core.Registers;
using MemVirt.Core.Shadow;
using MemVirt.Core.Sources;
using MemVirt.Simulation.Explain;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Cli.Walks;

/// <summary>Explains what <c>memvirt walk</c> was asked for and writes it.</summary>
internal static class WalkRunner
{
    internal static int Run(WalkRequest request, CommandContext context)
    {
        using AtomicFile? jsonFile = request.JsonPath is null or "-" ? null : AtomicFile.Create(request.JsonPath);
        using AtomicFile? page = request.HtmlPath is null ? null : AtomicFile.Create(request.HtmlPath);
        var notes = new List<string>();
        TraceExplanation explained = request.Trace is { } trace
            ? OfTrace(trace, request, context)
            : new TraceExplanation(OfTables(request.Made!, request, notes), null);
        WalkDocument document = WalkDocumentBuilder.Build(request, explained, notes);
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(document, WalkJsonContext.Default.WalkDocument);
        if (request.JsonPath == "-")
        {
            context.Output.WriteLine(Encoding.UTF8.GetString(json));
        }
        else
        {
            WalkReport.Write(document, context);
        }

        if (jsonFile is not null)
        {
            jsonFile.Stream.Write(json);
            jsonFile.Stream.WriteByte((byte)'\n');
        }

        if (page is not null)
        {
            HtmlPage.Write(page.Stream, document.Title, JsonSerializer.SerializeToUtf8Bytes(document, WalkJsonContext.Compact.WalkDocument), "walk.js");
        }

        context.Output.Flush();
        jsonFile?.Commit();
        page?.Commit();
        return ExitCodes.Success;
    }

    private static TraceExplanation OfTrace(TracePlace trace, WalkRequest request, CommandContext context)
    {
        var options = new TraceExplainerOptions(trace.Reference, request.Regimes, request.Machine, request.GuestPages, request.HostPages);
        return ProgressDisplay.While(
            wanted: true,
            Path.GetFileName(trace.Path),
            context,
            () => TraceExplainer.Explain(
                Opener(trace.Path),
                options,
                progress => context.Status.Report(progress.References, progress.Fraction),
                context.Cancellation));
    }

    /// <summary>A file, or a built-in trace of this name where there is no such file.</summary>
    private static Func<ITraceReader> Opener(string path)
        => !File.Exists(path) && BuiltInTraces.All.FirstOrDefault(trace => trace.Name == path) is { } builtIn
            ? builtIn.Open
            : () => TraceOpening.Open(path);

    /// <summary>Whether shadow paging follows a guest with these registers.</summary>
    internal static bool IsShadowed(in PagingRegisters registers)
        => ShadowPager.Follows(new GuestRules(ProcessorFeatures.Everything, registers));

    private static List<AccessExplanation> OfTables(MadeAccess made, WalkRequest request, List<string> notes)
    {
        var explained = new List<AccessExplanation>();
        foreach (Regime regime in request.Regimes)
        {
            if (regime == Regime.Shadow && !IsShadowed(made.Registers))
            {
                notes.Add("shadow is left out: the shadow pager does not follow CR4.SMAP with CR0.WP clear.");
                continue;
            }

            explained.Add(WalkExplainer.Explain(regime, new WalkSetup
            {
                Address = GuestVirtualAddress.Create(made.GuestVirtualAddress),
                Access = made.Access switch
                {
                    ReferenceKind.Fetch => Core.Access.MemoryAccess.Fetch,
                    ReferenceKind.Store => Core.Access.MemoryAccess.Write,
                    _ => Core.Access.MemoryAccess.Read,
                },
                Machine = request.Machine,
                GuestPages = request.GuestPages,
                HostPages = request.HostPages,
                Registers = made.Registers,
                PhysicalAddressBits = made.PhysicalAddressBits,
                Edits = made.Edits,
            }));
        }

        return explained;
    }
}
