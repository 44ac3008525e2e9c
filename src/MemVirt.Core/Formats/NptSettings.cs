using MemVirt.Core.Registers;

namespace MemVirt.Core.Formats;

/// <summary>What decides the meaning of nested-paging entries: the host's paging at VMRUN, and VMCB controls (AMD APM Vol. 2 §15.25).</summary>
public sealed record NptSettings
{
    /// <summary>An AMD host with everything and EFER.NXE, without GMET.</summary>
    public static NptSettings Default { get; } = new();

    /// <summary>The host processor.</summary>
    public ProcessorFeatures Host { get; init; } = new() { Vendor = ProcessorVendor.Amd };

    /// <summary>The host's EFER.NXE; without it bit 63 is reserved.</summary>
    public bool NoExecute { get; init; } = true;

    /// <summary>GMET: a guest below CPL 3 does not fetch from nested user pages (AMD APM Vol. 2 §15.25.14).</summary>
    public bool GuestModeExecuteTrap { get; init; }
}
