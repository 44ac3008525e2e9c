using MemVirt.Core.Access;
using MemVirt.Core.Registers;

namespace MemVirt.Native.Probes;

/// <summary>What the self-tests found to be wrong in the host, so that probes of it would say nothing about the engine.</summary>
public sealed record ProbeMasks
{
    /// <summary>CPUID offers 1 GiB pages and the host rejects them: no PDPTE has PS.</summary>
    public bool Pages1G { get; init; }

    /// <summary>
    /// The host lets SMAP forbid fetches: no supervisor fetch with CR4.SMAP set, SMEP and AC clear. Intel SDM Vol. 3A §4.6.1 binds
    /// data accesses alone.
    /// </summary>
    public bool SmapForbidsFetch { get; init; }

    /// <summary>CR4.SMEP is refused, or has no effect: it stays clear.</summary>
    public bool Smep { get; init; }

    /// <summary>CR4.SMAP is refused, or has no effect: it stays clear.</summary>
    public bool Smap { get; init; }

    /// <summary>PML4 indices under which the host lets not even plain pages be accessed, as it keeps them for itself.</summary>
    public IReadOnlySet<int> RootIndices { get; init; } = new HashSet<int>();

    internal bool Hide(in Probe probe)
        => (Pages1G && (probe.Entries[2] & Probe.PageSize) != 0)
           || (SmapForbidsFetch && IsSmapFetch(in probe))
           || RootIndices.Contains((int)(probe.BaseAddress >> 39) & 511);

    private static bool IsSmapFetch(in Probe probe)
        => probe.Access == MemoryAccess.Fetch
           && probe.Registers.CurrentPrivilegeLevel == 0
           && !probe.Registers.AlignmentCheck
           && (probe.Registers.Cr4 & Cr4.SupervisorAccessPrevention) != 0
           && (probe.Registers.Cr4 & Cr4.SupervisorExecutionPrevention) == 0;
}
