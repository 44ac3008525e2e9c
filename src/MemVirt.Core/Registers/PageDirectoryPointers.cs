namespace MemVirt.Core.Registers;

/// <summary>
/// The four PDPTE registers of PAE paging (Intel SDM Vol. 3A §4.4.1, table 4-8). They are loaded with CR3 and not looked up in
/// memory afterwards.
/// </summary>
/// <param name="First">PDPTE0: linear addresses below 1 GiB.</param>
/// <param name="Second">PDPTE1.</param>
/// <param name="Third">PDPTE2.</param>
/// <param name="Fourth">PDPTE3: linear addresses from 3 GiB.</param>
public readonly record struct PageDirectoryPointers(ulong First, ulong Second, ulong Third, ulong Fourth)
{
    private const ulong Present = 1;
    private const ulong AlwaysReserved = 0x1E6;

    /// <summary>Where the four entries lie: CR3[31:5] (Intel SDM Vol. 3A table 4-7).</summary>
    public static ulong TableAddress(ulong cr3) => cr3 & 0xFFFF_FFE0;

    /// <summary>The entry that translates a linear address of 32 bits.</summary>
    public ulong Of(uint linear) => (linear >> 30) switch { 0 => First, 1 => Second, 2 => Third, _ => Fourth };

    /// <summary>Whether a present entry has a 1 in bits 2:1, 8:5 or 63:MAXPHYADDR (Intel SDM Vol. 3A table 4-8).</summary>
    public bool HasReservedBits(ProcessorFeatures features)
    {
        ulong reserved = AlwaysReserved | (ulong.MaxValue << features.PhysicalAddressBits);
        return IsBad(First, reserved) || IsBad(Second, reserved) || IsBad(Third, reserved) || IsBad(Fourth, reserved);
    }

    private static bool IsBad(ulong entry, ulong reserved) => (entry & Present) != 0 && (entry & reserved) != 0;
}
