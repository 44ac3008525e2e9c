namespace MemVirt.Simulation.Traces;

/// <summary>What a reference does with memory.</summary>
public enum ReferenceKind : byte
{
    /// <summary>An instruction fetch.</summary>
    Fetch = 0,

    /// <summary>A data load.</summary>
    Load = 1,

    /// <summary>A data store.</summary>
    Store = 2,
}

/// <summary>
/// One load, store or instruction fetch of a trace, packed in 64 bits: bits 47:0 hold the linear address (bits 63:48 of a
/// canonical four-level address repeat bit 47, so nothing is lost), bits 49:48 the kind, bits 63:50 the size in bytes.
/// </summary>
public readonly record struct MemoryReference
{
    /// <summary>The largest size a reference can have, in bytes; x86 instructions stay well below it.</summary>
    public const int MaxSizeBytes = (1 << 14) - 1;

    /// <summary>Bits 47:0, the part of a linear address that takes part in translation.</summary>
    public const ulong AddressMask = (1UL << 48) - 1;

    private const int KindShift = 48;
    private const int SizeShift = 50;

    private MemoryReference(ulong bits) => Bits = bits;

    /// <summary>Packs a reference; the caller has checked it with <see cref="IsValid"/>.</summary>
    public MemoryReference(ReferenceKind kind, ulong address, int sizeBytes)
        => Bits = (address & AddressMask) | ((ulong)kind << KindShift) | ((ulong)(uint)sizeBytes << SizeShift);

    /// <summary>The packed word.</summary>
    public ulong Bits { get; }

    /// <summary>The kind.</summary>
    public ReferenceKind Kind => (ReferenceKind)((Bits >> KindShift) & 3);

    /// <summary>The size in bytes, from 1 to <see cref="MaxSizeBytes"/>.</summary>
    public int SizeBytes => (int)(Bits >> SizeShift);

    /// <summary>The canonical 64-bit linear address of the first byte.</summary>
    public ulong Address => (ulong)((long)(Bits << 16) >> 16);

    /// <summary>Bits 47:0 of the linear address of the first byte.</summary>
    public ulong LinearAddress48 => Bits & AddressMask;

    /// <summary>Whether the first and the last byte lie in different 4 KiB pages.</summary>
    public bool CrossesPage => (Bits & 0xFFF) + (Bits >> SizeShift) > 0x1000;

    /// <summary>The packed word as a reference; the inverse of <see cref="Bits"/>.</summary>
    public static MemoryReference FromBits(ulong bits) => new(bits);

    /// <summary>Whether every byte of the range lies at a canonical four-level address and the size can be packed.</summary>
    public static bool IsValid(ulong address, long sizeBytes)
        => sizeBytes is >= 1 and <= MaxSizeBytes
           && IsCanonical(address)
           && IsCanonical(address + (ulong)sizeBytes - 1)
           && address + (ulong)sizeBytes - 1 >= address;

    private static bool IsCanonical(ulong address) => (ulong)((long)(address << 16) >> 16) == address;
}
