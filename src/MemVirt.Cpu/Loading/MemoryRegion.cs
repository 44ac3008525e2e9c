namespace MemVirt.Cpu.Loading;

/// <summary>What a range of guest-physical addresses is to the guest's system; the numbers are E820's (ACPI 6.5 table 15.4).</summary>
public enum MemoryRegionKind
{
    /// <summary>RAM it may use.</summary>
    Usable = 1,

    /// <summary>Not to be touched.</summary>
    Reserved = 2,
}

/// <summary>A range of guest-physical addresses as the guest is told of it.</summary>
/// <param name="Start">Its first byte's address.</param>
/// <param name="End">The address after its last byte's.</param>
/// <param name="Kind">What it is.</param>
public readonly record struct MemoryRegion(ulong Start, ulong End, MemoryRegionKind Kind)
{
    /// <summary>How many bytes it has.</summary>
    public ulong LengthBytes => End - Start;
}
