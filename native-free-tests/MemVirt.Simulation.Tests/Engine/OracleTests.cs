using MemVirt.Oracle;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Tests.Support;
using MemVirt.Simulation.Traces;
using Xunit.Abstractions;

namespace MemVirt.Simulation.Tests.Engine;

/// <summary>The engine against the second implementation of the model, which shares no line with it.</summary>
public class OracleTests(ITestOutputHelper output)
{
    private const int RandomCases = 60;

    public static TheoryData<string> Machines => ["teaching", "skylake", "zen2", "odd", "odd-intel"];

    [Theory]
    [MemberData(nameof(Machines))]
    public void Random_guests_count_alike_in_every_regime(string machine)
    {
        for (int seed = 0; seed < RandomCases; seed++)
        {
            var random = new Random(seed * 31);
            int processes = random.Next(4) switch { 0 => random.Next(5, 8), 1 => 2, _ => 1 };
            MemoryReference[][] traces =
                [.. Enumerable.Range(0, processes).Select(process => RandomTraces.Create((seed * 100) + process, random.Next(1, 4_000)))];
            string[] sizes = ["4k", "2m", "1g"];
            var options = new OracleOptions
            {
                MachineJson = Json(machine),
                Regime = "",
                GuestPages = sizes[random.Next(3)],
                HostPages = sizes[random.Next(3)],
                Quantum = random.Next(3) == 0 ? 1 : random.Next(1, 1_000),
                References = random.Next(2) == 0 ? null : random.Next(1, 5_000),
                Warmup = random.Next(2) == 0 ? 0 : random.Next(1, 500),
            };
            Compare(traces, options, $"machine {machine}, seed {seed}");
        }
    }

    [SkippableTheory]
    [InlineData("gcc-cc1-20m", "teaching")]
    [InlineData("gcc-cc1-20m", "zen4")]
    [InlineData("sqlite-20m", "goldencove")]
    [InlineData("hashjoin-20m", "skylake")]
    [InlineData("hashjoin-20m", "odd")]
    public void The_first_200_000_references_of_a_real_trace_count_alike_in_every_regime(string trace, string machine)
    {
        MemoryReference[] head = SharedTraces.Head(trace, 200_000);
        Compare([head], new OracleOptions { MachineJson = Json(machine), Regime = "" }, $"{trace} on {machine}");
    }

    private static string Json(string machine) => machine switch
    {
        "odd" => TestMachines.Odd,
        "odd-intel" => TestMachines.OddIntel,
        _ => System.Text.Encoding.UTF8.GetString(MachinePresets.Json(machine).Span),
    };

    private void Compare(MemoryReference[][] traces, OracleOptions oracle, string what)
    {
        var options = new ComparisonOptions
        {
            Machines = [TestMachines.Parse(oracle.MachineJson)],
            GuestPages = TestMachines.Size(oracle.GuestPages),
            HostPages = TestMachines.Size(oracle.HostPages),
            Quantum = oracle.Quantum,
            References = oracle.References,
            Warmup = oracle.Warmup,
        };
        ComparisonResult result = Comparison.Run([.. traces.Select(trace => new MemoryTrace(trace))], options)[0];
        IReadOnlyList<IReadOnlyList<OracleReference>> references = [.. traces.Select(Convert)];
        foreach (RegimeResult regime in result.Regimes)
        {
            IReadOnlyDictionary<string, double> expected = OracleModel.Run(references, oracle with { Regime = regime.Regime });
            SortedDictionary<string, double> actual = Flat.Numbers(regime);
            List<string> differences = [.. expected
                .Where(pair => Math.Abs(actual[pair.Key] - pair.Value) > 1e-9 * Math.Abs(pair.Value))
                .Select(pair => $"{pair.Key}: oracle {pair.Value}, engine {actual[pair.Key]}")];
            if (differences.Count > 0)
            {
                output.WriteLine(
                    $"{what}, {regime.Regime}, guest {oracle.GuestPages} on host {oracle.HostPages}, {traces.Length} processes, "
                    + $"quantum {oracle.Quantum}, refs {oracle.References}, warm-up {oracle.Warmup}:");
                differences.ForEach(output.WriteLine);
            }

            Assert.Empty(differences);
        }
    }

    private static IReadOnlyList<OracleReference> Convert(MemoryReference[] trace) =>
        [.. trace.Select(reference => new OracleReference((OracleKind)reference.Kind, reference.Address, reference.SizeBytes))];
}
