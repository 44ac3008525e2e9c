using System.Globalization;
using System.Text.Json;
using MemVirt.Simulation.Sweeps;

namespace MemVirt.Cli.Html;

/// <summary>The page of <c>memvirt sweep --report</c>; its data has the schema <c>memvirt.sweep-report/1</c>.</summary>
internal static class SweepReport
{
    public static void Write(Stream stream, SweepResult sweep, string command)
        => HtmlPage.Write(stream, "What virtualizing memory costs, point by point", Json(sweep, command), "charts.js", "sweep.js");

    /// <summary>The definition, and for each regime a column of each figure, in six digits: thousands of points have to fit.</summary>
    internal static byte[] Json(SweepResult sweep, string command)
    {
        using var whole = new MemoryStream();
        (sweep with { Rows = [] }).Write(whole);
        using JsonDocument document = JsonDocument.Parse(whole.ToArray());
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteString("schema", "memvirt.sweep-report/1");
            json.WriteString("version", HtmlPage.ProductVersion());
            json.WriteString("command", command);
            json.WritePropertyName("definition");
            document.RootElement.GetProperty("definition").WriteTo(json);
            json.WriteStartObject("columns");
            foreach (IGrouping<string, SweepRow> regime in sweep.Rows.GroupBy(row => row.Regime))
            {
                json.WriteStartObject(regime.Key);
                WriteColumn(json, "cycles", regime, row => row.CyclesPerReference);
                WriteColumn(json, "overhead", regime, row => row.OverheadVsNative);
                json.WriteEndObject();
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        return bytes.ToArray();
    }

    private static void WriteColumn(Utf8JsonWriter json, string name, IEnumerable<SweepRow> rows, Func<SweepRow, double?> of)
    {
        json.WriteStartArray(name);
        foreach (SweepRow row in rows)
        {
            if (of(row) is { } value)
            {
                json.WriteRawValue(value.ToString("G6", CultureInfo.InvariantCulture));
            }
            else
            {
                json.WriteNullValue();
            }
        }

        json.WriteEndArray();
    }
}
