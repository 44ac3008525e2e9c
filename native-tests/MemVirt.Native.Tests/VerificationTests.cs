using MemVirt.Native.Counts;
using MemVirt.Native.Probes;
using MemVirt.Native.SelfTests;

namespace MemVirt.Native.Tests;

/// <summary>The engine against the host's KVM.</summary>
public sealed class VerificationTests
{
    private const int Probes = 5_000;

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(2026)]
    public void Random_probes_end_as_the_engine_says(int seed)
    {
        ProbeSummary probes = Verify(seed, Probes).Probes;
        Assert.True(probes.Deviating == 0, $"seed {seed}: {probes.Deviating} deviate, the first: {Text(probes.Deviations)}");
        Assert.Equal(Probes, probes.Compared);
        Assert.Equal(Probes, probes.Endings.Values.Sum());
    }

    /// <summary>Present or not, reserved or not, read, write and fetch, user and supervisor: each comes up.</summary>
    [SkippableFact]
    public void Random_probes_meet_every_kind_of_fault()
    {
        ProbeSummary probes = Verify(seed: 1, Probes).Probes;
        Assert.InRange(probes.Endings["succeeded"], Probes / 5, Probes * 4 / 5);
        Assert.All(
            ["0x00", "0x01", "0x02", "0x03", "0x04", "0x05", "0x06", "0x07", "0x09", "0x0b", "0x0d", "0x0f", "0x10", "0x14", "0x15"],
            code => Assert.True(probes.Endings.GetValueOrDefault(code) > 0, $"no probe ends with {code}"));
    }

    [SkippableFact]
    public void The_same_seed_gives_the_same_probes()
    {
        ProbeSummary first = Verify(seed: 7, 1_000).Probes;
        ProbeSummary second = Verify(seed: 7, 1_000).Probes;
        ProbeSummary other = Verify(seed: 8, 1_000).Probes;
        Assert.Equal(first.Endings, second.Endings);
        Assert.Equal(first.Masked, second.Masked);
        Assert.NotEqual(first.Endings, other.Endings);
    }

    [SkippableFact]
    public void Counts_of_the_shadow_pager_are_those_of_the_hosts_own_shadow_mmu()
    {
        IReadOnlyList<CountExperiment> experiments = Verify(seed: 1, 1).Counts;
        Skip.If(experiments.All(experiment => experiment.NotRun is not null), experiments[0].NotRun);
        Assert.All(experiments, experiment =>
        {
            Assert.Null(experiment.NotRun);
            Assert.NotEmpty(experiment.Steps);
            Assert.All(experiment.Steps, step => Assert.True(step.Agrees, $"{experiment.Name}: {step}"));
        });
    }

    [SkippableFact]
    public void Self_tests_pass_and_every_mask_is_told()
    {
        SelfTestResult selfTests = Verify(seed: 1, 1).SelfTests;
        Assert.DoesNotContain(selfTests.Steps, step => step.Outcome is SelfTestOutcome.Failed or SelfTestOutcome.Differs);
        ProbeMasks masks = selfTests.Masks;
        bool[] all = [masks.Pages1G, masks.SmapForbidsFetch, masks.Smep, masks.Smap, masks.RootIndices.Count > 0];
        int expected = all.Count(set => set);
        Assert.Equal(expected, selfTests.Steps.Count(step => step.Outcome == SelfTestOutcome.Masked));
        Assert.All(
            selfTests.Steps.Where(step => step.Outcome == SelfTestOutcome.Masked), step => Assert.NotEqual("", step.Detail));
    }

    private static KvmVerificationResult Verify(int seed, long probes)
    {
        HostKvm.Open().Dispose();
        return KvmVerification.Run(new KvmVerificationOptions { Seed = seed, Probes = probes });
    }

    private static string Text(IReadOnlyList<ProbeDeviation> deviations) => deviations.Count == 0
        ? "none"
        : $"{deviations[0]}\n{string.Join('\n', deviations[0].Entries)}";
}
