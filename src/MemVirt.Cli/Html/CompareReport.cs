using System.Text.Json;
using MemVirt.Cli.Rendering;
using MemVirt.Simulation.Results;

namespace MemVirt.Cli.Html;

/// <summary>What a report is made of.</summary>
/// <param name="Command">The command line that makes it again.</param>
/// <param name="Machines">The machines' files, whole.</param>
/// <param name="Comparisons">The comparisons with their titles; each has details.</param>
internal sealed record CompareReportContent(
    string Command, IReadOnlyList<ReadOnlyMemory<byte>> Machines, IReadOnlyList<(string Title, int Machine, ComparisonResult Result)> Comparisons);

/// <summary>The page of <c>memvirt compare --report</c>; its data has the schema <c>memvirt.report/1</c>.</summary>
internal static class CompareReport
{
    public static void Write(Stream stream, CompareReportContent content)
    {
        string title = content.Comparisons.Count == 1
            ? $"{content.Comparisons[0].Title.Split(',')[0]}: what virtualizing memory costs"
            : "What virtualizing memory costs";
        HtmlPage.Write(stream, title, Json(content), "charts.js", "compare.js");
    }

    internal static byte[] Json(CompareReportContent content)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteString("schema", "memvirt.report/1");
            json.WriteString("version", HtmlPage.ProductVersion());
            json.WriteString("command", content.Command);
            json.WriteStartArray("machines");
            foreach (ReadOnlyMemory<byte> machine in content.Machines)
            {
                WriteCompact(json, machine);
            }

            json.WriteEndArray();
            json.WriteStartArray("comparisons");
            foreach ((string title, int machine, ComparisonResult result) in content.Comparisons)
            {
                WriteComparison(json, title, machine, result);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return bytes.ToArray();
    }

    private static void WriteComparison(Utf8JsonWriter json, string title, int machine, ComparisonResult result)
    {
        ComparisonDetails details = result.Details ?? throw new ArgumentException("A report needs details.", nameof(result));
        json.WriteStartObject();
        json.WriteString("title", title);
        json.WriteNumber("machine", machine);
        json.WriteString("inputs", string.Join("; ", result.Inputs.Select(input => NumberText.Line(
            $"{input.Path}: {input.References:N0} references, {input.InstructionFetches:N0} of them instruction fetches, {input.DistinctPages4k:N0} pages of 4 KiB"))));
        json.WriteStartArray("verdict");
        foreach (string sentence in Verdict.Of(result))
        {
            json.WriteStringValue(sentence);
        }

        json.WriteEndArray();
        json.WriteStartArray("exits");
        foreach (ExitKind kind in ExitKinds.Seen(result.Regimes))
        {
            json.WriteStartObject();
            json.WriteString("kind", kind.Label);
            WriteColumn(json, "counts", result.Regimes, regime => kind.Of(regime));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WritePropertyName("result");
        using (var plain = new MemoryStream())
        {
            ResultsJson.Write(plain, result with { Details = null });
            WriteCompact(json, plain.ToArray());
        }

        WriteDetails(json, details);
        json.WriteEndObject();
    }

    /// <summary>What the page draws and no more, slices column by column: twenty comparisons have to fit.</summary>
    private static void WriteDetails(Utf8JsonWriter json, ComparisonDetails details)
    {
        json.WriteStartObject("details");
        json.WriteStartObject("reuse");
        json.WriteString("pages", details.Reuse.Pages);
        json.WriteNumber("uses", details.Reuse.Uses);
        json.WriteNumber("firstUses", details.Reuse.FirstUses);
        WriteColumn(json, "distances", details.Reuse.Distances, count => count);
        json.WriteEndObject();

        // The slices of all regimes are of the same references.
        WriteColumn(json, "sliceReferences", details.Regimes[0].Slices, slice => slice.References);
        json.WriteStartArray("regimes");
        foreach (RegimeDetails regime in details.Regimes)
        {
            json.WriteStartObject();
            json.WriteString("regime", regime.Regime);
            json.WriteStartArray("cells");
            foreach (WalkCell cell in regime.Cells)
            {
                WriteCell(json, cell);
            }

            json.WriteEndArray();
            json.WriteStartObject("slices");
            WriteColumn(json, "l2Misses", regime.Slices, slice => slice.L2Misses);
            WriteColumn(json, "walkCycles", regime.Slices, slice => Math.Round(slice.WalkCycles));
            WriteColumn(json, "exits", regime.Slices, slice => slice.Exits);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteCell(Utf8JsonWriter json, WalkCell cell)
    {
        json.WriteStartObject();
        json.WriteString("guest", cell.Guest);
        json.WriteString("secondStage", cell.SecondStage);
        json.WriteNumber("reads", cell.Reads);
        json.WriteNumber("cyclesPerRead", Math.Round(cell.CyclesPerRead, 4));
        json.WriteStartObject("skipped");
        foreach ((string cache, long count) in Skips(cell.Skipped).Where(skip => skip.Count > 0))
        {
            json.WriteNumber(cache, count);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static (string Cache, long Count)[] Skips(WalkCacheHitCounts skips) =>
    [
        ("pml4e", skips.Pml4e), ("pdpte", skips.Pdpte), ("pde", skips.Pde), ("nestedTlb", skips.NestedTlb),
        ("nestedPml4e", skips.NestedPml4e), ("nestedPdpte", skips.NestedPdpte), ("nestedPde", skips.NestedPde),
    ];

    private static void WriteColumn<T>(Utf8JsonWriter json, string name, IEnumerable<T> rows, Func<T, double> of)
    {
        json.WriteStartArray(name);
        foreach (T row in rows)
        {
            json.WriteNumberValue(of(row));
        }

        json.WriteEndArray();
    }

    private static void WriteCompact(Utf8JsonWriter json, ReadOnlyMemory<byte> value)
    {
        using JsonDocument document = JsonDocument.Parse(value, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        document.RootElement.WriteTo(json);
    }
}
