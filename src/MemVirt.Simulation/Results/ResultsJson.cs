using System.Text.Json;
using System.Text.Json.Serialization;

namespace MemVirt.Simulation.Results;

/// <summary>Comparisons as JSON, schema <c>memvirt.compare/1</c>.</summary>
public static class ResultsJson
{
    /// <summary>Writes one result as an object.</summary>
    public static void Write(Stream stream, ComparisonResult result)
        => JsonSerializer.Serialize(stream, result, ResultsJsonContext.Default.ComparisonResult);

    /// <summary>Writes results as an array.</summary>
    public static void Write(Stream stream, IReadOnlyList<ComparisonResult> results)
        => JsonSerializer.Serialize(stream, results, ResultsJsonContext.Default.IReadOnlyListComparisonResult);
}

/// <summary>The serialisation code, generated at compile time so that nothing is reflected over at start.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    WriteIndented = true,
    GenerationMode = JsonSourceGenerationMode.Default)]
[JsonSerializable(typeof(ComparisonResult))]
[JsonSerializable(typeof(IReadOnlyList<ComparisonResult>))]
internal sealed partial class ResultsJsonContext : JsonSerializerContext;
