using System.Diagnostics;
using System.Globalization;

namespace MemVirt.Native.Probes;

/// <summary>Runs seeded probes and keeps what deviates.</summary>
public static class ProbeVerification
{
    /// <summary>How many deviations are shrunk and kept; the rest are counted.</summary>
    public const int MostDeviations = 5;

    private const int ProgressEvery = 256;

    /// <summary>Compares probes until there are as many as wanted.</summary>
    /// <param name="runner">Runs them.</param>
    /// <param name="masks">What to leave out.</param>
    /// <param name="seed">The generator's seed.</param>
    /// <param name="count">How many to compare.</param>
    /// <param name="progress">Called now and then with how many are compared.</param>
    internal static ProbeSummary Run(ProbeRunner runner, ProbeMasks masks, long seed, long count, Action<long>? progress)
    {
        var generator = new ProbeGenerator((ulong)seed, runner.Guest.Features, masks);
        var endings = new SortedDictionary<string, long>(StringComparer.Ordinal);
        var deviations = new List<(long Number, ProbeOutcome Outcome)>();
        long compared = 0, masked = 0, deviating = 0;
        var clock = Stopwatch.StartNew();
        while (compared < count)
        {
            Probe probe = generator.Next();
            if (masks.Hide(in probe))
            {
                masked++;
                continue;
            }

            ProbeOutcome outcome = runner.Run(in probe);
            string ending = Ending(outcome.Expected);
            endings[ending] = endings.GetValueOrDefault(ending) + 1;
            if (!outcome.Agrees && ++deviating <= MostDeviations)
            {
                deviations.Add((compared, outcome));
            }

            if (++compared % ProgressEvery == 0)
            {
                progress?.Invoke(compared);
            }
        }

        clock.Stop();
        return new ProbeSummary
        {
            Seed = seed,
            Compared = compared,
            Masked = masked,
            Endings = endings,
            Deviating = deviating,
            Deviations = [.. deviations.Select(deviation => Shrunk(runner, deviation.Number, deviation.Outcome))],
            Elapsed = clock.Elapsed,
        };
    }

    private static ProbeDeviation Shrunk(ProbeRunner runner, long number, ProbeOutcome deviation)
        => ProbeDeviation.Of(number, ProbeShrinker.Shrink(in deviation, probe => runner.Run(in probe)));

    private static string Ending(ProbeExpectation expected)
        => expected.Succeeds ? "succeeded" : string.Create(CultureInfo.InvariantCulture, $"0x{expected.ErrorCode:x2}");
}
