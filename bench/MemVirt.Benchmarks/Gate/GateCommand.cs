using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace MemVirt.Benchmarks.Gate;

/// <summary>
/// The regression gate: bytes allocated and counts of work exactly, times as ratios to a reference kernel measured in turn with them,
/// against bench/expectations.json. Exit code 1 where anything got worse, 2 where it cannot tell.
/// </summary>
internal static class GateCommand
{
    private const int Rounds = 10;
    private const int RoundsOfDoubt = 40;
    private const double Tolerance = 0.12;

    private static readonly string _processor = Expectations.ThisProcessor();

    internal static int Run(ReadOnlySpan<string> arguments)
    {
        var expected = new Option<string>("--expectations") { DefaultValueFactory = _ => Path.Combine("bench", "expectations.json") };
        var update = new Option<bool>("--update") { Description = "Put what is measured into the expectations, as this processor's; other processors' stay." };
        var filter = new Option<string?>("--filter") { Description = "Only kernels whose name holds one of these, separated by commas; counts are left out." };
        var github = new Option<string?>("--github") { Description = "Write the ratios in github-action-benchmark's form." };
        var benchmarkDotNet = new Option<string?>("--benchmarkdotnet") { Description = "Write the times in BenchmarkDotNet's form." };
        var once = new Option<bool>("--once") { Description = "Do not measure again in other processes what looks slow." };
        var command = new RootCommand("Judges allocations, counts of work and times against expectations.")
        {
            expected, update, filter, github, benchmarkDotNet, once,
        };
        command.SetAction(parsed =>
        {
            SortedDictionary<string, Measurement> measured = Measure(
                name => (parsed.GetValue(filter) ?? string.Empty).Split(',').Any(part => name.Contains(part, StringComparison.OrdinalIgnoreCase)),
                Load(parsed.GetValue(expected)!, parsed.GetValue(update)));
            MeasureAgainElsewhere(measured, parsed.GetValue(expected)!, parsed.GetValue(update) || parsed.GetValue(once));
            if (parsed.GetValue(github) is { } forGithub)
            {
                GateReports.SaveForGithub(forGithub, measured);
            }

            if (parsed.GetValue(benchmarkDotNet) is { } forBenchmarkDotNet)
            {
                GateReports.SaveForBenchmarkDotNet(forBenchmarkDotNet, measured);
            }

            return Conclude(parsed.GetValue(expected)!, parsed.GetValue(update), parsed.GetValue(filter) is null, measured);
        });
        try
        {
            return command.Parse([.. arguments]).Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        catch (Exception exception) when (exception is IOException or JsonException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"gate: {exception.Message} (run it from the root of the repository, or name the file with --expectations)");
            return 2;
        }
    }

    private static Expectations? Load(string path, bool update) => update ? null : Expectations.Load(path);

    /// <summary>Every kernel in each round, so that a bad moment of the machine meets them all; those in doubt for longer.</summary>
    private static SortedDictionary<string, Measurement> Measure(Func<string, bool> wanted, Expectations? expectations)
    {
        var reference = new ReferenceKernel();
        List<KernelTimer> timers = [.. Kernel.All(name => IsJudged(name) && wanted(name)).Select(kernel => new KernelTimer(kernel, reference))];
        for (int round = 0; round < Rounds; round++)
        {
            timers.ForEach(timer => timer.Round());
        }

        for (int round = 0; round < RoundsOfDoubt && expectations is not null; round++)
        {
            List<KernelTimer> doubtful = timers.FindAll(timer => IsSlow(expectations, timer.Kernel.Name, timer.Result()));
            doubtful.ForEach(timer => timer.Round());
        }

        return new SortedDictionary<string, Measurement>(timers.ToDictionary(timer => timer.Kernel.Name, timer => timer.Result()), StringComparer.Ordinal);
    }

    /// <summary>
    /// Where code and data lie differs from process to process, and with it what aliases in the processor's buffers: what is slow here
    /// counts as slow only where it is in two more processes.
    /// </summary>
    private static void MeasureAgainElsewhere(SortedDictionary<string, Measurement> measured, string path, bool never)
    {
        const int Processes = 2;
        for (int process = 0; process < Processes && !never; process++)
        {
            Expectations expectations = Expectations.Load(path);
            string[] slow = [.. measured.Where(each => IsSlow(expectations, each.Key, each.Value)).Select(each => each.Key)];
            if (slow.Length == 0)
            {
                return;
            }

            string answer = Path.GetTempFileName();
            try
            {
                RunSelf(["gate", "--once", "--expectations", path, "--filter", string.Join(',', slow), "--github", answer]);
                foreach ((string name, double ratio) in GateReports.LoadFromGithub(answer))
                {
                    measured[name] = ratio < measured[name].Ratio ? measured[name] with { Ratio = ratio } : measured[name];
                }
            }
            finally
            {
                File.Delete(answer);
            }
        }
    }

    private static void RunSelf(IEnumerable<string> arguments)
    {
        string host = Environment.ProcessPath!;
        bool isRuntime = Path.GetFileNameWithoutExtension(host) == "dotnet";
        IEnumerable<string> all = isRuntime ? arguments.Prepend(typeof(GateCommand).Assembly.Location) : arguments;
        using Process child = Process.Start(new ProcessStartInfo(host, all) { RedirectStandardOutput = true })!;
        child.StandardOutput.ReadToEnd();
        child.WaitForExit();
    }

    /// <summary>All but what takes long, and what collects garbage beside us.</summary>
    private static bool IsJudged(string name) => !name.StartsWith("Simulation.", StringComparison.Ordinal) && name != "Trace.LackeyByLines";

    private static bool IsSlow(Expectations expectations, string name, Measurement measured)
        => RatioOf(expectations, name) is { } expected && measured.Ratio > expected * (1 + expectations.Tolerance);

    /// <summary>Null where none was recorded on this processor.</summary>
    private static double? RatioOf(Expectations expectations, string name)
        => expectations.Kernels.TryGetValue(name, out KernelExpectation? expected)
           && expected.Ratios.TryGetValue(_processor, out double ratio) ? ratio : null;

    private static int Conclude(string path, bool update, bool withCounts, SortedDictionary<string, Measurement> measured)
    {
        SortedDictionary<string, long> counts = withCounts ? WorkCounts.Take() : [];
        if (update)
        {
            Update(path, withCounts, measured, counts);
            return 0;
        }

        Expectations expectations = Expectations.Load(path);
        List<string> worse = Compare(expectations, measured, counts, withCounts);
        foreach ((string name, Measurement each) in measured)
        {
            Console.WriteLine($"{name,-40} {each.Nanoseconds,9:F2} ns  {each.Ratio,8:F3} x  {each.AllocatedBytes,6} B");
        }

        string[] untimed = [.. measured.Keys.Where(name => RatioOf(expectations, name) is null)];
        if (untimed.Length != 0)
        {
            string which = untimed.Length == measured.Count ? "times" : $"times of {string.Join(", ", untimed)}";
            Console.WriteLine($"{which} not judged: none was recorded on this processor, {_processor} (--update)");
        }

        Console.WriteLine(worse.Count == 0 ? $"gate: {measured.Count} kernels and {counts.Count} counts as expected" : "gate: worse than expected");
        worse.ForEach(line => Console.WriteLine(line));
        return worse.Count == 0 ? 0 : 1;
    }

    /// <summary>Of a part of the kernels only theirs is replaced; of all, what is no longer there goes.</summary>
    private static void Update(string path, bool whole, SortedDictionary<string, Measurement> measured, SortedDictionary<string, long> counts)
    {
        Expectations before = File.Exists(path) ? Expectations.Load(path) : new Expectations(Tolerance, [], []);
        SortedDictionary<string, KernelExpectation> kernels = whole ? [] : before.Kernels;
        foreach ((string name, Measurement each) in measured)
        {
            SortedDictionary<string, double> ratios = before.Kernels.TryGetValue(name, out KernelExpectation? known) ? known.Ratios : [];
            ratios[_processor] = Math.Round(each.Ratio, 3);
            kernels[name] = new KernelExpectation(ratios, BytesOf(name, each));
        }

        new Expectations(Tolerance, kernels, whole ? counts : before.Counts).Save(path);
        Console.WriteLine($"{path}: {measured.Count} kernels, {counts.Count} counts, for {_processor}");
    }

    /// <summary>A trace's reader allocates its buffers, and says so elsewhere.</summary>
    private static long? BytesOf(string name, Measurement measured)
        => name.StartsWith("Trace.", StringComparison.Ordinal) ? null : measured.AllocatedBytes;

    private static List<string> Compare(
        Expectations expectations, SortedDictionary<string, Measurement> measured, SortedDictionary<string, long> counts, bool withCounts)
    {
        var worse = new List<string>();
        foreach ((string name, Measurement each) in measured)
        {
            if (!expectations.Kernels.TryGetValue(name, out KernelExpectation? expected))
            {
                worse.Add($"  {name}: not in the expectations (--update)");
                continue;
            }

            if (expected.AllocatedBytes is { } bytes && bytes != each.AllocatedBytes)
            {
                worse.Add($"  {name}: {each.AllocatedBytes} B allocated, {bytes} expected");
            }

            if (IsSlow(expectations, name, each) && RatioOf(expectations, name) is { } ratio)
            {
                worse.Add(string.Create(
                    CultureInfo.InvariantCulture,
                    $"  {name}: {each.Ratio:F3} x the reference, {ratio:F3} expected: {(each.Ratio / ratio) - 1:+0 %} ({each.Nanoseconds:F2} ns)"));
            }
        }

        if (withCounts)
        {
            worse.AddRange(expectations.Kernels.Keys.Except(measured.Keys).Select(name => $"  {name}: expected, and not there (--update)"));
            worse.AddRange(expectations.Counts.Keys.Union(counts.Keys)
                .Where(name => !expectations.Counts.TryGetValue(name, out long count) || !counts.TryGetValue(name, out long now) || count != now)
                .Select(name => $"  {name}: {Told(counts, name)}, {Told(expectations.Counts, name)} expected"));
        }

        return worse;
    }

    private static string Told(SortedDictionary<string, long> counts, string name)
        => counts.TryGetValue(name, out long count) ? count.ToString(CultureInfo.InvariantCulture) : "none";
}
