using MemVirt.Core.Registers;
using MemVirt.Native.Kvm;
using MemVirt.Native.Probes;

namespace MemVirt.Native.Tests;

/// <summary>An engine that is wrong on purpose: what the verification must find.</summary>
public sealed class DeviationTests
{
    private const ulong ReservedForAmd = 1UL << 8;

    /// <summary>Bit 8 of a PML4E is reserved on AMD and ignored on Intel (APM Vol. 2 §5.3.3, SDM Vol. 3A table 4-15).</summary>
    [SkippableFact]
    public void The_other_vendors_rules_are_found_out_and_shrunk_to_their_one_bit()
    {
        ProbeSummary probes = Run(features => features with
        {
            Vendor = features.Vendor == ProcessorVendor.Amd ? ProcessorVendor.Intel : ProcessorVendor.Amd,
        });
        Assert.NotEqual(0, probes.Deviating);
        Assert.Equal(Math.Min(probes.Deviating, ProbeVerification.MostDeviations), probes.Deviations.Count);
        Assert.All(probes.Deviations, deviation => Assert.Equal(
            [Probe.Plain | ReservedForAmd, Probe.Plain, Probe.Plain, Probe.Plain],
            deviation.Entries.Select(entry => entry.Before & 0xFFF)));
    }

    [SkippableFact]
    public void One_bit_too_many_of_physical_address_is_found_out_and_shrunk_to_it()
    {
        const ulong LowAddressBits = 0xFFFF_F000;
        ulong bit = 0;
        ProbeSummary probes = Run(features =>
        {
            Skip.If(features.PhysicalAddressBits == 52, "this host's processor has no reserved address bits");
            bit = 1UL << features.PhysicalAddressBits;
            return features with { PhysicalAddressBits = features.PhysicalAddressBits + 1 };
        });
        Assert.NotEqual(0, probes.Deviating);
        Assert.All(probes.Deviations, deviation =>
        {
            Assert.StartsWith("#PF", deviation.Guest, StringComparison.Ordinal);
            DeviationEntry wrong = Assert.Single(deviation.Entries, entry => (entry.Before & ~LowAddressBits) != Probe.Plain);
            Assert.Equal(bit | Probe.Plain, wrong.Before & ~LowAddressBits);
        });
    }

    private static ProbeSummary Run(Func<ProcessorFeatures, ProcessorFeatures> wrong)
    {
        using KvmDevice device = HostKvm.Open();
        return VirtualProcessorThread.Execute(
            thread =>
            {
                TimeSpan limit = TimeSpan.FromSeconds(2);
                ProbeMasks masks;
                using (var right = new ProbeRunner(device, thread, limit))
                {
                    masks = SelfTests.KvmSelfTest.Run(right, limit).Masks;
                }

                using var runner = new ProbeRunner(device, thread, limit, wrong);
                return ProbeVerification.Run(runner, masks, seed: 1, count: 5_000, progress: null);
            },
            CancellationToken.None);
    }
}
