namespace MemVirt.Core.Addresses;

/// <summary>Masks of the address widths.</summary>
internal static class AddressBits
{
    /// <summary>Bits of the widest linear address, that of five-level paging.</summary>
    internal const int LinearBits = 57;

    internal const ulong Mask48 = (1UL << 48) - 1;
    internal const ulong Mask57 = (1UL << 57) - 1;
    internal const ulong Mask52 = (1UL << 52) - 1;

    /// <summary>Bits 51:12, the frame field of every entry.</summary>
    internal const ulong Frame = Mask52 & ~0xFFFUL;
}
