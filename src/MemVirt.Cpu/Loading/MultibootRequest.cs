namespace MemVirt.Cpu.Loading;

/// <summary>A Multiboot 1 kernel to boot.</summary>
/// <param name="ImagePath">The kernel's file; its name comes first on the kernel's command line, as other loaders have it.</param>
/// <param name="Modules">Files handed over, each a path that a space and what the kernel is told with it may follow; null for none.</param>
/// <param name="CommandLine">What follows the kernel's name on its command line.</param>
public sealed record MultibootRequest(string ImagePath, IReadOnlyList<string>? Modules = null, string CommandLine = "");
