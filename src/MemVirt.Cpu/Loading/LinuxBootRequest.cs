namespace MemVirt.Cpu.Loading;

/// <summary>A Linux to boot.</summary>
/// <param name="KernelPath">A bzImage, such as /boot/vmlinuz-6.1.0-50-cloud-amd64.</param>
/// <param name="InitrdPath">The initial RAM disk, handed over as it is; null for none.</param>
/// <param name="CommandLine">The kernel's command line.</param>
public sealed record LinuxBootRequest(string KernelPath, string? InitrdPath = null, string CommandLine = "");
