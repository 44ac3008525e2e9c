using MemVirt.Native.Guests;
using MemVirt.Native.Kvm;

namespace MemVirt.Native.Tests;

/// <summary>The host's KVM; a test that asks for it is skipped, with the reason, where it cannot be used.</summary>
internal static class HostKvm
{
    internal const ulong MemoryBytes = 16 << 20;

    private static readonly Lazy<string?> Unusable = new(WhyUnusable);

    internal static KvmDevice Open()
    {
        Skip.If(Unusable.Value is not null, Unusable.Value);
        return KvmDevice.Open();
    }

    /// <summary>Does something with a guest, on a vCPU's thread.</summary>
    internal static T InGuest<T>(Func<Guest, T> work)
    {
        using KvmDevice device = Open();
        return VirtualProcessorThread.Execute(
            thread =>
            {
                using var guest = new Guest(device, thread, MemoryBytes);
                return work(guest);
            },
            CancellationToken.None);
    }

    /// <summary>One verification, the shortest there is, tells whether a guest runs at all.</summary>
    private static string? WhyUnusable()
    {
        try
        {
            KvmVerification.Run(new KvmVerificationOptions { Probes = 1 });
            return null;
        }
        catch (KvmUnavailableException exception)
        {
            return exception.Message;
        }
    }
}
