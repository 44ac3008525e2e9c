using MemVirt.Core.Registers;
using MemVirt.Native.Counts;
using MemVirt.Native.Kvm;
using MemVirt.Native.Probes;
using MemVirt.Native.SelfTests;

namespace MemVirt.Native;

/// <summary>What the verification found.</summary>
public sealed record KvmVerificationResult
{
    /// <summary>The version of this structure as JSON.</summary>
    public string Schema => "memvirt.verify-kvm/1";

    /// <summary>The host.</summary>
    public required HostDescription Host { get; init; }

    /// <summary>The processor that the guest sees.</summary>
    public required ProcessorFeatures Features { get; init; }

    /// <summary>The self-tests.</summary>
    public required SelfTestResult SelfTests { get; init; }

    /// <summary>The probes.</summary>
    public required ProbeSummary Probes { get; init; }

    /// <summary>The experiments on KVM's shadow MMU.</summary>
    public required IReadOnlyList<CountExperiment> Counts { get; init; }

    /// <summary>Whether engine and host agree in everything that was compared.</summary>
    public bool Agrees => Probes.Deviating == 0 && Counts.All(experiment => experiment.Steps.All(step => step.Agrees));
}
