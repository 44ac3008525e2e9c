using MemVirt.Native.Counts;
using MemVirt.Native.Kvm;
using MemVirt.Native.Probes;
using MemVirt.Native.SelfTests;

namespace MemVirt.Native;

/// <summary>Holds the engine against the host's KVM (docs/verify-kvm.md).</summary>
public static class KvmVerification
{
    /// <summary>Runs it all. Takes about 100 µs a probe, and some seconds for the rest.</summary>
    /// <param name="options">What to verify.</param>
    /// <param name="progress">Called on another thread, with how many probes are compared.</param>
    /// <param name="cancellation">Ends it within some tens of milliseconds, even out of a guest that spins.</param>
    /// <exception cref="KvmUnavailableException">The host's KVM cannot be used.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="TimeoutException">KVM does not come back from a guest.</exception>
    public static KvmVerificationResult Run(
        KvmVerificationOptions options, Action<long>? progress = null, CancellationToken cancellation = default)
    {
        using KvmDevice device = KvmDevice.Open(options.DevicePath);
        return VirtualProcessorThread.Execute(thread => RunOn(thread, device, options, progress), cancellation);
    }

    /// <summary>A loop over 8,192 pages with a fault on each takes about 0.1 s.</summary>
    private static readonly TimeSpan CountLimit = TimeSpan.FromSeconds(20);

    private static KvmVerificationResult RunOn(
        VirtualProcessorThread thread, KvmDevice device, KvmVerificationOptions options, Action<long>? progress)
    {
        using ProbeRunner runner = CreateRunner(thread, device, options);
        SelfTestResult selfTests = KvmSelfTest.Run(runner, options.StepLimit);
        if (selfTests.Steps.FirstOrDefault(step => step.Outcome == SelfTestOutcome.Failed) is { } failed)
        {
            throw new KvmUnavailableException($"{options.DevicePath} is of no use here: {failed.Name}: {failed.Detail}");
        }

        HostDescription host = HostDescription.Read();
        return new KvmVerificationResult
        {
            Host = host,
            Features = runner.Guest.Features,
            SelfTests = selfTests,
            Probes = ProbeVerification.Run(runner, selfTests.Masks, options.Seed, options.Probes, progress),
            Counts = ShadowExperiments.Run(device, thread, host, CountLimit),
        };
    }

    /// <summary>The first guest: what cannot even be created is a KVM that does not work.</summary>
    private static ProbeRunner CreateRunner(VirtualProcessorThread thread, KvmDevice device, KvmVerificationOptions options)
    {
        try
        {
            return new ProbeRunner(device, thread, options.StepLimit);
        }
        catch (IOException exception)
        {
            throw new KvmUnavailableException($"{options.DevicePath} does not make a guest: {exception.Message}");
        }
    }
}
