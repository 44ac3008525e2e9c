using MemVirt.Native.Kvm;

namespace MemVirt.Native;

/// <summary>What to verify.</summary>
public sealed record KvmVerificationOptions
{
    /// <summary>The KVM device.</summary>
    public string DevicePath { get; init; } = KvmDevice.DefaultPath;

    /// <summary>The seed of the probes.</summary>
    public long Seed { get; init; } = 1;

    /// <summary>How many probes to compare.</summary>
    public long Probes { get; init; } = 10_000;

    /// <summary>What one entry of the guest may take.</summary>
    public TimeSpan StepLimit { get; init; } = TimeSpan.FromSeconds(2);
}
