using MemVirt.Native.Kvm;
using MemVirt.Native.SelfTests;

namespace MemVirt.Native.Tests;

/// <summary>The engine against the host's KVM.</summary>
public sealed class VerificationTests(Xunit.Abstractions.ITestOutputHelper output)
{
    [SkippableTheory]
    [InlineData(1)]
    [InlineData(2)]
    public void Random_probes_end_as_the_engine_says(int seed)
    {
        HostKvm.Open().Dispose();
        KvmVerificationResult result = KvmVerification.Run(new KvmVerificationOptions { Seed = seed, Probes = 4000 });
        output.WriteLine(string.Join("\n", result.SelfTests.Steps));
        output.WriteLine(result.Probes.ToString());
        output.WriteLine(string.Join(", ", result.Probes.Endings));
        foreach (var e in result.Counts) { output.WriteLine(e.Name + " " + e.NotRun); foreach (var st in e.Steps) output.WriteLine("   " + st); }
        Assert.True(
            result.Probes.Deviating == 0,
            $"seed {seed}: {result.Probes.Deviating} deviate\n" + string.Join("\n", result.Probes.Deviations.Select(
                deviation => deviation + "\n" + string.Join("\n", deviation.Entries))));
    }
}
