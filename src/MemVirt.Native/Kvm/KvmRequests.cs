namespace MemVirt.Native.Kvm;

/// <summary>The ioctl numbers of /dev/kvm on x86-64 (Linux, include/uapi/linux/kvm.h).</summary>
internal static class KvmRequests
{
    internal const int ApiVersion = 12;
    internal const uint GetApiVersion = 0xAE00;
    internal const uint CreateVm = 0xAE01;
    internal const uint CheckExtension = 0xAE03;
    internal const uint GetVcpuMapSize = 0xAE04;
    internal const uint GetSupportedCpuid = 0xC008_AE05;
    internal const uint CreateVcpu = 0xAE41;
    internal const uint SetUserMemoryRegion = 0x4020_AE46;
    internal const uint SetTaskStateAddress = 0xAE47;
    internal const uint Run = 0xAE80;
    internal const uint GetRegisters = 0x8090_AE81;
    internal const uint GetSystemRegisters = 0x8138_AE83;
    internal const uint SetSystemRegisters = 0x4138_AE84;
    internal const uint SetSignalMask = 0x4004_AE8B;
    internal const uint SetCpuid2 = 0x4008_AE90;
    internal const uint GetStatisticsDescriptor = 0xAECE;
    internal const int CapabilityBinaryStatistics = 203;

    /// <summary>Three pages in guest-physical space that KVM on Intel hosts wants for itself, away from the guest's memory.</summary>
    internal const ulong TaskStateAddress = 0xFFFB_D000;
}
