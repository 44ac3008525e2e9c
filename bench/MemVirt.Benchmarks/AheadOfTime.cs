using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;

namespace MemVirt.Benchmarks;

/// <summary>
/// Whole runs of the command line: compiled as they run, ahead of time for any processor, and ahead of time for this one. Their
/// counts must be equal to the last; told are start-up, the time of a comparison on one core and on two, and what regimes say of themselves.
/// </summary>
internal static class AheadOfTime
{
    private const int Runs = 7;
    private const string CountsOnly = "--counts";
    private const string Project = "src/MemVirt.Cli";

    /// <summary>
    /// Measures on a trace, or on the compiler's that comes with the tool; 1 where counts differ or nothing could be published. With
    /// <c>--counts</c> counts alone are of interest: one run of each, and what any processor runs is all that is made ahead of time.
    /// </summary>
    internal static int Run(ReadOnlySpan<string> arguments)
    {
        bool countsOnly = arguments.Contains(CountsOnly);
        string trace = arguments.Length > 0 && arguments[0] != CountsOnly ? arguments[0] : Path.Combine(AppContext.BaseDirectory, "traces", "compile.mvt");
        string folder = Directory.CreateTempSubdirectory("memvirt-aot").FullName;
        try
        {
            string machine = Path.Combine(folder, "skylake-without-caches.json");
            string dll = Path.Combine(Project, "bin", "Release", "net10.0", "memvirt.dll");
            WriteMachine(["dotnet", dll], machine);
            var flavours = new List<(string Name, string[] Command)> { ("compiled as it runs", ["dotnet", dll]) };
            (string Name, string[] More)[] published = [("ahead of time", []), ("ahead of time, this processor", ["-p:IlcInstructionSet=native"])];
            foreach ((string name, string[] more) in published.AsSpan(0, countsOnly ? 1 : published.Length))
            {
                string output = Path.Combine(folder, flavours.Count.ToString(CultureInfo.InvariantCulture));
                Publish(output, more);
                flavours.Add((name, [Path.Combine(output, OperatingSystem.IsWindows() ? "memvirt.exe" : "memvirt")]));
            }

            return Compare(flavours, ["compare", trace, "--machine", machine, "--json", "-", "--jobs"], countsOnly ? 1 : Runs);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static int Compare(List<(string Name, string[] Command)> flavours, string[] comparison, int runs)
    {
        Console.WriteLine($"{"",-32}{"start-up",10}{"one job",10}{"two jobs",10}{"scaling",9}{"native",14}{"EPT",14}");
        string? expected = null;
        int different = 0;
        foreach ((string name, string[] command) in flavours)
        {
            (double help, _) = Time([.. command, "--help"], runs);
            (double one, string json) = Time([.. command, .. comparison, "1"], runs);
            (double two, string jsonOfTwo) = Time([.. command, .. comparison, "2"], runs);
            string counts = CountsOf(json, out double native, out double ept);
            expected ??= counts;
            bool isEqual = counts == expected && CountsOf(jsonOfTwo, out _, out _) == expected;
            different += isEqual ? 0 : 1;
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{name,-32}{help * 1000,7:F0} ms{one,8:F3} s{two,8:F3} s{one / two,8:F2}x{native,8:F2} ns/ref{ept,8:F2} ns/ref{(isEqual ? "" : "  COUNTS DIFFER")}"));
        }

        Console.WriteLine(different == 0 ? "counts are equal" : "counts differ");
        return different == 0 ? 0 : 1;
    }

    private static void WriteMachine(string[] command, string path)
    {
        JsonNode machine = JsonNode.Parse(Execute([.. command, "machines", "skylake"]))!;
        machine["name"] = "skylake-without-caches";
        machine["caches"] = null;
        File.WriteAllText(path, machine.ToJsonString());
    }

    private static void Publish(string output, string[] more)
        => Execute(
            ["dotnet", "publish", Project, "-c", "Release", "-r", RuntimeInformation.RuntimeIdentifier, "-p:Aot=true", "-o", output, "-v", "quiet", .. more]);

    /// <summary>All of a comparison but what it says of itself.</summary>
    private static string CountsOf(string json, out double native, out double ept)
    {
        JsonNode root = JsonNode.Parse(json)!;
        var nanoseconds = new Dictionary<string, double>();
        foreach (JsonNode? regime in root["regimes"]!.AsArray())
        {
            double references = regime!["references"]!.GetValue<double>();
            nanoseconds[regime["regime"]!.GetValue<string>()] = regime["simulation"]!["seconds"]!.GetValue<double>() / references * 1e9;
            regime.AsObject().Remove("simulation");
        }

        (native, ept) = (nanoseconds["native"], nanoseconds["ept"]);
        return root.ToJsonString();
    }

    private static (double Seconds, string Output) Time(string[] command, int runs)
    {
        var times = new double[runs];
        string output = "";
        for (int run = 0; run < runs; run++)
        {
            long start = Stopwatch.GetTimestamp();
            output = Execute(command);
            times[run] = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        Array.Sort(times);
        return (times[runs / 2], output);
    }

    private static string Execute(string[] command)
    {
        using Process process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? output
            : throw new InvalidOperationException($"{string.Join(' ', command)} ended with {process.ExitCode}: {output}");
    }
}
