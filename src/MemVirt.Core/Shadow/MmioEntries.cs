using MemVirt.Core.Access;
using MemVirt.Core.Addresses;

namespace MemVirt.Core.Shadow;

/// <summary>
/// Shadow leaves that remember an address without memory: not present to the hardware, holding the guest frame in bits 51:12, a
/// marker in bit 11, the guest's rights in bits 6:1 and the generation of the memory slots in bits 62:52, as KVM's MMIO entries do.
/// </summary>
internal static class MmioEntries
{
    internal const int Generations = 1 << 11;
    private const ulong Marker = 1UL << 11;
    private const int RightsShift = 1;
    private const int GenerationShift = 52;

    internal static ulong Create(ulong gpa, AccessRights rights, int generation)
        => (gpa & AddressBits.Frame) | Marker | ((ulong)(rights & AccessRights.Unrestricted) << RightsShift)
           | ((ulong)generation << GenerationShift);

    /// <summary>Whether an entry is one of these; no present entry is asked.</summary>
    internal static bool IsMmio(ulong entry) => (entry & (Marker | 1)) == Marker;

    internal static int GenerationOf(ulong entry) => (int)(entry >> GenerationShift) & (Generations - 1);

    internal static ulong FrameOf(ulong entry) => entry & AddressBits.Frame;

    internal static AccessRights RightsOf(ulong entry) => (AccessRights)(entry >> RightsShift) & AccessRights.Unrestricted;
}
