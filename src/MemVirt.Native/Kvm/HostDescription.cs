using System.Runtime.InteropServices;

namespace MemVirt.Native.Kvm;

/// <summary>What is known of the host before a guest runs.</summary>
/// <param name="Kernel">Name and release of the kernel.</param>
/// <param name="Processor">The processor's name, as /proc/cpuinfo has it.</param>
/// <param name="Module">The module that runs guests: kvm_intel, kvm_amd or another; "kvm" where none is to be seen.</param>
/// <param name="NestedPaging">Whether that module uses EPT or NPT, so that KVM shadows nothing; null where it does not say.</param>
public sealed record HostDescription(string Kernel, string Processor, string Module, bool? NestedPaging)
{
    private const string Modules = "/sys/module";

    /// <summary>Reads it.</summary>
    public static HostDescription Read()
    {
        IEnumerable<string> modules = Directory.Exists(Modules) ? Directory.EnumerateDirectories(Modules, "kvm_*") : [];
        string module = Path.GetFileName(modules.Order(StringComparer.Ordinal).FirstOrDefault("kvm"));
        return new HostDescription(KernelName(), ProcessorName(), module, ReadNestedPaging(module));
    }

    /// <summary>A module without the parameter knows no second stage of hardware, and KVM is left with shadowing.</summary>
    private static bool? ReadNestedPaging(string module)
    {
        if (module == "kvm")
        {
            return null;
        }

        return IsOn(module, "ept") || IsOn(module, "npt");
    }

    private static bool IsOn(string module, string parameter)
    {
        string file = $"{Modules}/{module}/parameters/{parameter}";
        return File.Exists(file) && File.ReadAllText(file).Trim() is "Y" or "1";
    }

    private static string KernelName()
    {
        const string Release = "/proc/sys/kernel/osrelease";
        return File.Exists(Release) ? "Linux " + File.ReadAllText(Release).Trim() : RuntimeInformation.OSDescription;
    }

    private static string ProcessorName()
    {
        const string Key = "model name";
        string? line = File.Exists("/proc/cpuinfo")
            ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith(Key, StringComparison.Ordinal))
            : null;
        return line is null ? "unknown processor" : line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
    }
}
