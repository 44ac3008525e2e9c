using MemVirt.Native.Guests;
using MemVirt.Native.Kvm;

namespace MemVirt.Native.Tests;

/// <summary>The host's KVM; a test that asks for it is skipped, with the reason, where it cannot be used.</summary>
internal static class HostKvm
{
    internal const ulong MemoryBytes = 16 << 20;

    internal static KvmDevice Open()
    {
        try
        {
            return KvmDevice.Open();
        }
        catch (KvmUnavailableException exception)
        {
            throw new SkipException(exception.Message);
        }
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
}
