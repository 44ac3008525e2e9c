using MemVirt.Core.Access;

namespace MemVirt.Simulation.Lint;

/// <summary>An access that may use a translation whose entry was changed without the invalidation that the manual requires.</summary>
/// <param name="Line">The line of the access in the run.</param>
/// <param name="Address">The linear address.</param>
/// <param name="Access">Read, write or fetch.</param>
/// <param name="VirtualProcessor">VPID or ASID.</param>
/// <param name="ProcessContext">PCID.</param>
/// <param name="Stale">The entry that changed.</param>
/// <param name="ChangedOnLine">The line that changed it.</param>
/// <param name="HeldPage">The physical page that the processor may still reach.</param>
/// <param name="CurrentPage">The page that the tables map now; null where they deny the access.</param>
/// <param name="Accesses">How many accesses may use the same stale entry, this one the first.</param>
public sealed record LintFinding(
    long Line, ulong Address, MemoryAccess Access, ushort VirtualProcessor, ushort ProcessContext, StaleEntry Stale, long ChangedOnLine,
    ulong HeldPage, ulong? CurrentPage, int Accesses)
{
    /// <summary>The instruction that would have been enough (Intel SDM Vol. 3A §4.10.4.2).</summary>
    public string Remedy
        => Stale.Address == 0 ? $"MOV to CR3 with bit 63 clear, or INVPCID type 1 of PCID {ProcessContext}"
            : Stale.Level == 0 ? $"INVLPG 0x{Address & ~0xFFFUL:x} in PCID {ProcessContext}, or INVPCID type 0 of it"
            : (Stale.Held & 0x80) != 0 ? $"INVLPG of any address of the large page in PCID {ProcessContext}"
            : $"INVPCID type 1 of PCID {ProcessContext}, or MOV to CR3 with bit 63 clear: the entry referred to a table";
}
