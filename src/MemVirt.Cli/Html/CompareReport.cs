using System.Reflection;
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
            json.WriteString("version", ProductVersion());
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

    internal static string ProductVersion()
        => Assembly.GetExecutingAssembly().GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";

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

    /// <summary>Cells as they are; slices column by column, which takes a quarter of the room.</summary>
    private static void WriteDetails(Utf8JsonWriter json, ComparisonDetails details)
    {
        using var whole = new MemoryStream();
        ResultsJson.Write(whole, details with { Regimes = [.. details.Regimes.Select(regime => regime with { Slices = [] })] });
        using JsonDocument document = JsonDocument.Parse(whole.ToArray());
        json.WriteStartObject("details");
        json.WritePropertyName("reuse");
        document.RootElement.GetProperty("reuse").WriteTo(json);
        json.WriteStartArray("regimes");
        foreach ((RegimeDetails regime, JsonElement element) in details.Regimes.Zip(document.RootElement.GetProperty("regimes").EnumerateArray()))
        {
            json.WriteStartObject();
            json.WriteString("regime", regime.Regime);
            json.WritePropertyName("cells");
            element.GetProperty("cells").WriteTo(json);
            json.WriteStartObject("slices");
            WriteColumn(json, "first", regime.Slices, slice => slice.First);
            WriteColumn(json, "references", regime.Slices, slice => slice.References);
            WriteColumn(json, "l1Misses", regime.Slices, slice => slice.L1Misses);
            WriteColumn(json, "l2Misses", regime.Slices, slice => slice.L2Misses);
            WriteColumn(json, "walks", regime.Slices, slice => slice.Walks);
            WriteColumn(json, "walkCycles", regime.Slices, slice => Math.Round(slice.WalkCycles, 3));
            WriteColumn(json, "guestPageFaults", regime.Slices, slice => slice.GuestPageFaults);
            WriteColumn(json, "exits", regime.Slices, slice => slice.Exits);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

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
