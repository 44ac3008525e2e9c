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
    private const double MostLost = 2.5;
    private const double WideNoise = 0.02;
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    private static readonly string _processor = Expectations.ThisProcessor();

    internal static int Run(ReadOnlySpan<string> arguments)
    {
        var expected = new Option<string>("--expectations") { DefaultValueFactory = _ => Path.Combine("bench", "expectations.json") };
        var update = new Option<bool>("--update") { Description = "Put what is measured into the expectations, as this processor's; other processors' stay." };
        var filter = new Option<string?>("--filter") { Description = "Only kernels whose name holds one of these, separated by commas; counts are left out." };
        var github = new Option<string?>("--github") { Description = "Write the ratios in github-action-benchmark's form." };
        var benchmarkDotNet = new Option<string?>("--benchmarkdotnet") { Description = "Write the times in BenchmarkDotNet's form." };
        var answer = new Option<string?>("--answer") { Description = "Write what was measured for a gate that asks, and do not ask others about what looks slow." };
        var command = new RootCommand("Judges allocations, counts of work and times against expectations.")
        {
            expected, update, filter, github, benchmarkDotNet, answer,
        };
        command.SetAction(parsed =>
        {
            SortedDictionary<string, Measurement> measured = Measure(
                name => (parsed.GetValue(filter) ?? string.Empty).Split(',').Any(part => name.Contains(part, StringComparison.OrdinalIgnoreCase)),
                Load(parsed.GetValue(expected)!, parsed.GetValue(update)));
            if (parsed.GetValue(answer) is { } forWhoAsks)
            {
                GateReports.SaveAnswer(forWhoAsks, measured);
                return 0;
            }

            MeasureAgainElsewhere(measured, parsed.GetValue(expected)!, parsed.GetValue(update));
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

        if (expectations is not null)
        {
            MeasureLonger(timers, expectations);
        }

        return new SortedDictionary<string, Measurement>(timers.ToDictionary(timer => timer.Kernel.Name, timer => timer.Result()), StringComparer.Ordinal);
    }

    /// <summary>What looks slow, and for longer while a neighbour shares the core: he may go.</summary>
    private static void MeasureLonger(List<KernelTimer> timers, Expectations expectations)
    {
        long start = Stopwatch.GetTimestamp();
        for (int round = 0; ; round++)
        {
            List<(KernelTimer Timer, Measurement Measured)> slow = timers.ConvertAll(timer => (Timer: timer, Measured: timer.Result()))
                .FindAll(each => IsSlow(expectations, each.Timer.Kernel.Name, each.Measured));
            bool isCrowded = slow.Exists(each => IsCrowded(expectations, each.Timer.Kernel.Name, each.Measured));
            if (slow.Count == 0 || (round >= RoundsOfDoubt && !(isCrowded && Stopwatch.GetElapsedTime(start) < _patience)))
            {
                return;
            }

            slow.ForEach(each => each.Timer.Round());
        }
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
                RunSelf(["gate", "--expectations", path, "--filter", string.Join(',', slow), "--answer", answer]);
                foreach ((string name, Measurement again) in GateReports.LoadAnswer(answer))
                {
                    measured[name] = Excess(expectations, name, again) < Excess(expectations, name, measured[name])
                        ? again with { AllocatedBytes = measured[name].AllocatedBytes } : measured[name];
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

    private static bool IsSlow(Expectations expectations, string name, Measurement measured) => Excess(expectations, name, measured) > 0;

    /// <summary>By how much a ratio is above the tolerance, as a fraction of what is expected; not above 0 where nothing is expected.</summary>
    private static double Excess(Expectations expectations, string name, Measurement measured)
    {
        // Where it is not known how much of the core is ours, a neighbour may have had his share all the time.
        double tolerance = expectations.Wide.ContainsKey(_processor) ? expectations.Tolerance : 1.5 * expectations.Tolerance;
        return RatioOf(expectations, name) is { } expected ? (measured.Ratio / expected) - 1 - tolerance : 0;
    }

    /// <summary>
    /// Whether what a kernel lost may have gone to a neighbour who had a share of the core while it ran: two and a half times what the wide
    /// reference lost is the most that was seen to go to one.
    /// </summary>
    private static bool IsCrowded(Expectations expectations, string name, Measurement measured)
        => expectations.Wide.TryGetValue(_processor, out double alone)
           && Excess(expectations, name, measured) < MostLost * ((measured.Wide / alone) - 1 - WideNoise);

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
            Console.WriteLine($"{name,-40} {each.Nanoseconds,9:F2} ns  {each.Ratio,8:F3} x  {each.AllocatedBytes,6} B  wide {each.Wide:F3}");
        }

        string[] untimed = [.. measured.Keys.Where(name => RatioOf(expectations, name) is null)];
        if (untimed.Length != 0)
        {
            string which = untimed.Length == measured.Count ? "times" : $"times of {string.Join(", ", untimed)}";
            Console.WriteLine($"{which} not judged: none was recorded on this processor, {_processor} (--update)");
        }

        string[] crowded =
        [
            .. measured.Where(each => IsSlow(expectations, each.Key, each.Value) && IsCrowded(expectations, each.Key, each.Value)).Select(each => each.Key),
        ];
        if (crowded.Length != 0)
        {
            Console.WriteLine($"times of {string.Join(", ", crowded)} not judged: something else ran on the same core all the while (run it again later)");
        }

        Console.WriteLine(worse.Count == 0 ? $"gate: {measured.Count} kernels and {counts.Count} counts as expected" : "gate: worse than expected");
        worse.ForEach(line => Console.WriteLine(line));
        return worse.Count == 0 ? 0 : 1;
    }

    /// <summary>Of a part of the kernels only theirs is replaced; of all, what is no longer there goes.</summary>
    private static void Update(string path, bool whole, SortedDictionary<string, Measurement> measured, SortedDictionary<string, long> counts)
    {
        Expectations before = File.Exists(path) ? Expectations.Load(path) : new Expectations(Tolerance, [], [], []);
        SortedDictionary<string, KernelExpectation> kernels = whole ? [] : before.Kernels;
        foreach ((string name, Measurement each) in measured)
        {
            SortedDictionary<string, double> ratios = before.Kernels.TryGetValue(name, out KernelExpectation? known) ? known.Ratios : [];
            ratios[_processor] = Math.Round(each.Ratio, 3);
            kernels[name] = new KernelExpectation(ratios, BytesOf(name, each));
        }

        if (whole || !before.Wide.ContainsKey(_processor))
        {
            before.Wide[_processor] = Math.Round(measured.Values.Select(each => each.Wide).Order().ElementAt(measured.Count / 2), 3);
        }

        new Expectations(Tolerance, before.Wide, kernels, whole ? counts : before.Counts).Save(path);
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

            if (IsSlow(expectations, name, each) && !IsCrowded(expectations, name, each) && RatioOf(expectations, name) is { } ratio)
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
