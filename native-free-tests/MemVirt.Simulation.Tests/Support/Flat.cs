using System.Text.Json;
using MemVirt.Simulation.Results;

namespace MemVirt.Simulation.Tests.Support;

/// <summary>A result as numbers by JSON path, for comparing whole results at once.</summary>
internal static class Flat
{
    private static readonly JsonSerializerOptions CamelCase = new() { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    /// <summary>Every number of a regime but what the simulation itself cost.</summary>
    internal static SortedDictionary<string, double> Numbers(RegimeResult result)
    {
        var numbers = new SortedDictionary<string, double>(StringComparer.Ordinal);
        using JsonDocument document = JsonSerializer.SerializeToDocument(result, CamelCase);
        Collect(document.RootElement, "", numbers);
        return numbers;
    }

    /// <summary>A whole result in one string, without what the simulation cost.</summary>
    internal static string Text(IReadOnlyList<ComparisonResult> results)
        => string.Join('\n', results.SelectMany(result => result.Regimes).Select(
            regime => regime.Regime + ": " + string.Join(", ", Numbers(regime).Select(pair => $"{pair.Key}={pair.Value:R}"))));

    private static void Collect(JsonElement element, string path, SortedDictionary<string, double> numbers)
    {
        if (element.ValueKind == JsonValueKind.Number)
        {
            numbers[path] = element.GetDouble();
        }
        else if (element.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty property in element.EnumerateObject().Where(property => property.Name != "simulation"))
            {
                Collect(property.Value, path.Length == 0 ? property.Name : $"{path}.{property.Name}", numbers);
            }
        }
    }
}
