namespace MemVirt.Core.Addresses;

/// <summary>
/// A guest-virtual (linear) address, canonical for five-level paging by construction (Intel SDM Vol. 1 §3.3.7.1). Four-level paging
/// answers an address that is canonical for five levels only with <see cref="Faults.TranslationStatus.NotCanonical"/>.
/// </summary>
public readonly record struct GuestVirtualAddress
{
    /// <summary>Bits that take part in a four-level translation.</summary>
    public const int FourLevelBits = 48;

    /// <summary>Bits that take part in a five-level translation.</summary>
    public const int FiveLevelBits = AddressBits.LinearBits;

    private GuestVirtualAddress(ulong value) => Value = value;

    /// <summary>The 64-bit address; bits 63:56 are equal.</summary>
    public ulong Value { get; }

    /// <summary>The address <paramref name="value"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The address is not canonical: bits 63:56 differ.</exception>
    public static GuestVirtualAddress Create(ulong value)
    {
        if (!IsCanonical(value, FiveLevelBits))
        {
            Throw.NotCanonical(value);
        }

        return new GuestVirtualAddress(value);
    }

    /// <summary>Makes an address of bits 47:0, repeating bit 47 above; bits 63:48 of the argument are ignored.</summary>
    public static GuestVirtualAddress SignExtend(ulong value) => new((ulong)((long)(value << 16) >> 16));

    /// <summary>Whether bits 63 down to <paramref name="linearBits"/> − 1 are equal; 48 bits in four-level paging, 57 in five-level.</summary>
    public static bool IsCanonical(ulong value, int linearBits = FourLevelBits)
        => (ulong)((long)(value << (64 - linearBits)) >> (64 - linearBits)) == value;

    /// <summary>An address that is known to be canonical.</summary>
    public static GuestVirtualAddress FromValid(ulong value) => new(value);

    /// <summary>The page number of the given size: bits 56 down to the size's logarithm.</summary>
    public ulong PageNumber(PageSize size) => (Value & AddressBits.Mask57) >> (int)size;

    /// <summary>The offset within a page of the given size, in bytes.</summary>
    public ulong OffsetIn(PageSize size) => Value & ((1UL << (int)size) - 1);

    /// <summary>The address <paramref name="lengthBytes"/> further on; false where that is not canonical.</summary>
    public bool TryAdd(ulong lengthBytes, out GuestVirtualAddress sum)
    {
        sum = new GuestVirtualAddress(Value + lengthBytes);
        return Value + lengthBytes >= Value && IsCanonical(sum.Value, FiveLevelBits);
    }

    /// <inheritdoc/>
    public override string ToString() => $"gva 0x{Value:x}";
}
