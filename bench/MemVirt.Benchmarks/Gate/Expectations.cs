using System.Text.Json;
using System.Text.Json.Serialization;

namespace MemVirt.Benchmarks.Gate;

/// <summary>What is expected of a kernel.</summary>
/// <param name="Ratios">Its time divided by the reference kernel's, by processor: on one that is not here times are told and not judged.</param>
/// <param name="AllocatedBytes">Bytes that a call allocates; null where that is not judged.</param>
internal sealed record KernelExpectation(SortedDictionary<string, double> Ratios, long? AllocatedBytes);

/// <summary>The file bench/expectations.json.</summary>
/// <param name="Tolerance">How much greater a ratio may be, as a fraction.</param>
/// <param name="Wide">A step of the wide reference divided by one of the reference while the core is ours alone, by processor.</param>
/// <param name="Kernels">By name.</param>
/// <param name="Counts">By name; exact.</param>
internal sealed record Expectations(
    double Tolerance, SortedDictionary<string, double> Wide, SortedDictionary<string, KernelExpectation> Kernels, SortedDictionary<string, long> Counts)
{
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    private static readonly string[] _keys = ["vendor_id", "cpu family", "model"];

    /// <summary>This machine's processor, as Linux names it; of another system only its architecture.</summary>
    internal static string ThisProcessor()
    {
        const string Information = "/proc/cpuinfo";
        string[] lines = File.Exists(Information) ? File.ReadAllLines(Information) : [];
        string[] named =
        [
            .. _keys.Select(key => lines.FirstOrDefault(line => line.Split(':')[0].Trim() == key)?.Split(':')[1].Trim() ?? string.Empty),
        ];
        return named[0].Length == 0
            ? System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture.ToString()
            : $"{named[0]} family {named[1]} model {named[2]}";
    }

    internal static Expectations Load(string path)
        => JsonSerializer.Deserialize<Expectations>(File.ReadAllText(path), Format) ?? throw new JsonException("The file is empty.");

    internal void Save(string path) => File.WriteAllText(path, JsonSerializer.Serialize(this, Format) + "\n");
}
