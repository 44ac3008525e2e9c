using System.Runtime.InteropServices;
using MemVirt.Native.Linux;

namespace MemVirt.Native.Kvm;

/// <summary>An open KVM device of the API version that has been the only one since Linux 2.6.22.</summary>
public sealed class KvmDevice : IDisposable
{
    /// <summary>Where Linux has it.</summary>
    public const string DefaultPath = "/dev/kvm";

    private KvmDevice(FileDescriptor descriptor) => Descriptor = descriptor;

    internal FileDescriptor Descriptor { get; }

    /// <summary>Opens a device.</summary>
    /// <param name="path">The device's file.</param>
    /// <exception cref="KvmUnavailableException">Not Linux on x86-64, no such file, no permission, no KVM, or another API version.</exception>
    public static KvmDevice Open(string path = DefaultPath)
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            throw new KvmUnavailableException(
                $"KVM is used on x86-64 Linux only; this is {RuntimeInformation.OSDescription} on {RuntimeInformation.ProcessArchitecture}");
        }

        int opened = SystemCalls.Open(path, SystemCalls.OpenReadWrite | SystemCalls.OpenCloseOnExec);
        if (opened < 0)
        {
            int error = Marshal.GetLastPInvokeError();
            string remedy = error switch
            {
                SystemCalls.ErrorNoSuchFile => "; load the module kvm_intel or kvm_amd, or name another device with --device",
                SystemCalls.ErrorPermissionDenied => "; add this user to the device's group, kvm as a rule",
                _ => string.Empty,
            };
            throw new KvmUnavailableException($"{path} cannot be opened: {Marshal.GetPInvokeErrorMessage(error)}{remedy}");
        }

        var descriptor = new FileDescriptor(opened);
        int version = descriptor.TryControl(KvmRequests.GetApiVersion);
        if (version == KvmRequests.ApiVersion)
        {
            return new KvmDevice(descriptor);
        }

        string message = version < 0
            ? $"{path} is no KVM device: {Marshal.GetLastPInvokeErrorMessage()}; name one with --device"
            : $"{path} has KVM API version {version}; {KvmRequests.ApiVersion} is needed";
        descriptor.Dispose();
        throw new KvmUnavailableException(message);
    }

    /// <inheritdoc/>
    public void Dispose() => Descriptor.Dispose();

    /// <summary>What KVM_GET_SUPPORTED_CPUID offers a guest.</summary>
    internal KvmCpuid SupportedCpuid()
    {
        var cpuid = new KvmCpuid { Count = KvmCpuid.Capacity };
        Descriptor.Control(KvmRequests.GetSupportedCpuid, "KVM_GET_SUPPORTED_CPUID", ref cpuid);
        return cpuid;
    }
}
