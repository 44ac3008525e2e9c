using System.Text.Json.Serialization;
using MemVirt.Simulation.Traces;

namespace MemVirt.Cli.Rendering;

/// <summary>What <c>trace info</c> says of one trace.</summary>
internal sealed record TraceSummary(
    string Path,
    string Format,
    long References,
    long InstructionFetches,
    long Loads,
    long Stores,
    long Crossings,
    long DistinctPages4k)
{
    private const int PageBytes = 4096;

    public long FootprintBytes => DistinctPages4k * PageBytes;

    /// <summary>Why reading ended early; null where it did not.</summary>
    [JsonIgnore]
    public TraceException? Damage { get; init; }

    public void Write(TextWriter output)
    {
        output.WriteLine(Damage is null ? Path : Path + " (damaged; up to the damage)");
        output.WriteLine($"  format              {Format,16}");
        Row(output, "references", References);
        Row(output, "  fetches", InstructionFetches, NumberText.Percent(InstructionFetches, References));
        Row(output, "  loads", Loads, NumberText.Percent(Loads, References));
        Row(output, "  stores", Stores, NumberText.Percent(Stores, References));
        Row(output, "page crossings", Crossings, NumberText.Percent(Crossings, References));
        Row(output, "distinct 4K pages", DistinctPages4k, NumberText.Bytes(FootprintBytes));
    }

    private static void Row(TextWriter output, string label, long count, string note = "")
        => output.WriteLine(NumberText.Line($"  {label,-20}{count,16:N0}  {note,10}").TrimEnd());
}

/// <summary>The summaries' JSON, generated at compile time.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(TraceSummary))]
[JsonSerializable(typeof(List<TraceSummary>))]
internal sealed partial class TraceSummaryJson : JsonSerializerContext;
