using System.Globalization;
using MemVirt.Cli.Rendering;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Explain;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;
using Spectre.Console;

namespace MemVirt.Cli.Walks;

/// <summary>Explains one access under each regime: every reference of the walk with its address, entry, level and stage.</summary>
internal static class WalkReport
{
    private static readonly string[] EntryNames = ["PTE", "PDE", "PDPTE", "PML4E"];
    private static readonly string[] TableNames = ["PT", "PD", "PDPT", "PML4"];

    public static int Write(WalkRequest request, CommandContext context)
    {
        IAnsiConsole console = SpectreTerminal.Create(context.Output, context.OutputIsTerminal, Math.Max(context.Width, 80));
        MemoryAccess access = request.Access switch
        {
            ReferenceKind.Fetch => MemoryAccess.Fetch,
            ReferenceKind.Store => MemoryAccess.Write,
            _ => MemoryAccess.Read,
        };
        context.Output.WriteLine(
            $"A {Name(request.Access)} at 0x{request.GuestVirtualAddress:x}, {PageSizeNames.Of(request.GuestPages)} guest pages on "
            + $"{PageSizeNames.Of(request.HostPages)} host pages, every cache empty.");
        foreach (Regime regime in request.Regimes)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            WalkExplanation walk = WalkExplainer.Explain(
                regime, GuestVirtualAddress.Create(request.GuestVirtualAddress), access, request.GuestPages, request.HostPages);
            context.Output.WriteLine();
            context.Output.WriteLine(Headline(walk, request.Machine.WalkReferenceCycles));
            console.Write(Table(walk));
            context.Output.WriteLine(FirstTouch(walk));
        }

        return ExitCodes.Success;
    }

    private static string Headline(WalkExplanation walk, double cycles)
    {
        string price = cycles > 0
            ? string.Create(CultureInfo.InvariantCulture, $", {walk.Reads.Count * cycles:0} cycles at {cycles:0.##} each")
            : "";
        return $"{RegimeNames.Of(walk.Regime)}: {walk.Reads.Count} references{price}, to host-physical 0x{walk.HostPhysical:x} "
            + $"in a {PageSizeNames.Of(walk.PageSize)} page";
    }

    private static Table Table(WalkExplanation walk)
    {
        var table = new Table { Border = TableBorder.Horizontal, UseSafeBorder = false };
        table.AddColumn(new TableColumn("#").RightAligned());
        table.AddColumn("reads");
        table.AddColumn("at host");
        table.AddColumn("entry");
        table.AddColumn("which refers to");
        for (int i = 0; i < walk.Reads.Count; i++)
        {
            WalkRead read = walk.Reads[i];
            bool secondStage = read.Kind == TableKind.SecondStage;
            string name = $"{StageName(walk.Regime, read.Kind)} {EntryNames[read.Level]}";
            var style = secondStage ? new Style(decoration: Decoration.Dim) : Style.Plain;
            table.AddRow(
                new Text((i + 1).ToString(CultureInfo.InvariantCulture), style),
                new Text(name, style),
                new Text($"0x{read.HostAddress:x}", style),
                new Text($"0x{read.Entry:x}", style),
                new Text(Target(walk, i), style));
        }

        return table;
    }

    private static string StageName(Regime regime, TableKind kind) => kind switch
    {
        TableKind.Guest => "guest",
        TableKind.Shadow => "shadow",
        _ => RegimeNames.Of(regime),
    };

    /// <summary>What an entry refers to, in the space it speaks of, and what a second-stage leaf was read for.</summary>
    private static string Target(WalkExplanation walk, int index)
    {
        WalkRead read = walk.Reads[index];
        bool leaf = read.Kind == TableKind.SecondStage
            ? EptFormat.IsLeaf(read.Entry, read.Level)
            : X64FourLevel.IsLeaf(read.Entry, read.Level);
        bool nested = walk.Regime is Regime.Ept or Regime.Npt;
        string space = nested && read.Kind == TableKind.Guest ? "guest" : "host";
        if (!leaf)
        {
            return $"{space} table 0x{TableGeometry.TableAddress(read.Entry):x}";
        }

        string page = $"{space} page 0x{TableGeometry.PageAddress(read.Entry, read.Level):x}";
        if (read.Kind != TableKind.SecondStage)
        {
            return page;
        }

        WalkRead? next = index + 1 < walk.Reads.Count ? walk.Reads[index + 1] : null;
        return next is null ? $"{page}, the access" : $"{page}, guest {TableNames[next.Level]}";
    }

    private static string FirstTouch(WalkExplanation walk)
    {
        EventCounts events = walk.Events;
        string[] parts =
        [
            Plural(events.GuestPageFaults, "guest page fault"),
            Plural(events.SecondStageFaults, walk.Regime == Regime.Ept ? "EPT violation" : "nested page fault"),
            Plural(events.ShadowFaults, "shadow fault"),
            Plural(events.ProtectedTableWrites, "write to a protected table", "writes to protected tables"),
            Plural(events.Exits, "exit"),
        ];
        return "The first touch cost " + string.Join(", ", parts.Where(part => part.Length > 0)) + ".";
    }

    private static string Plural(long count, string one, string? many = null)
        => count == 0 ? "" : NumberText.Line($"{count:N0} {(count == 1 ? one : many ?? one + "s")}");

    private static string Name(ReferenceKind kind) => kind switch
    {
        ReferenceKind.Fetch => "fetch",
        ReferenceKind.Store => "store",
        _ => "load",
    };
}
