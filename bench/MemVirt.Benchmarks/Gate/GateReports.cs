using System.Text.Json;

namespace MemVirt.Benchmarks.Gate;

/// <summary>The measurements in the forms that others read.</summary>
internal static class GateReports
{
    private static readonly JsonSerializerOptions Format = new() { WriteIndented = true };

    /// <summary>github-action-benchmark's customSmallerIsBetter: ratios, which are what can be compared between runs.</summary>
    internal static void SaveForGithub(string path, IReadOnlyDictionary<string, Measurement> measured)
        => Save(path, measured.Select(each => new
        {
            name = each.Key,
            unit = "x reference",
            value = Math.Round(each.Value.Ratio, 4),
            extra = $"{each.Value.Nanoseconds:F2} ns, {each.Value.AllocatedBytes} B",
        }));

    /// <summary>Everything, for the process that asked.</summary>
    internal static void SaveAnswer(string path, IReadOnlyDictionary<string, Measurement> measured) => Save(path, measured);

    /// <summary>What <see cref="SaveAnswer"/> wrote.</summary>
    internal static Dictionary<string, Measurement> LoadAnswer(string path)
        => JsonSerializer.Deserialize<Dictionary<string, Measurement>>(File.ReadAllText(path)) ?? [];

    /// <summary>The members of BenchmarkDotNet's full JSON report that its readers use.</summary>
    internal static void SaveForBenchmarkDotNet(string path, IReadOnlyDictionary<string, Measurement> measured)
        => Save(path, new
        {
            Title = "MemVirt.Benchmarks.gate",
            HostEnvironmentInfo = new
            {
                ProcessorName = Expectations.ThisProcessor(),
                LogicalCoreCount = Environment.ProcessorCount,
                RuntimeVersion = System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription,
            },
            Benchmarks = measured.Select(each => new
            {
                FullName = $"MemVirt.Benchmarks.{each.Key.Replace(".", "Benchmarks.")}",
                Type = each.Key.Split('.')[0] + "Benchmarks",
                Method = each.Key.Split('.')[1],
                Parameters = string.Empty,
                Statistics = new { Mean = each.Value.Nanoseconds, Median = each.Value.Nanoseconds, Min = each.Value.Nanoseconds },
                Memory = new { BytesAllocatedPerOperation = each.Value.AllocatedBytes },
            }),
        });

    private static void Save(string path, object content) => File.WriteAllText(path, JsonSerializer.Serialize(content, Format) + "\n");
}
