namespace MemVirt.Core.Addresses;

/// <summary>A guest-virtual (linear) address, canonical for four-level paging by construction (Intel SDM Vol. 1 §3.3.7.1).</summary>
public readonly record struct GuestVirtualAddress
{
    /// <summary>Bits that take part in a four-level translation.</summary>
    public const int TranslatedBits = 48;

    private GuestVirtualAddress(ulong value) => Value = value;

    /// <summary>The 64-bit address; bits 63:47 are equal.</summary>
    public ulong Value { get; }

    /// <summary>The address <paramref name="value"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The address is not canonical: bits 63:47 differ.</exception>
    public static GuestVirtualAddress Create(ulong value)
    {
        if (!IsCanonical(value))
        {
            Throw.NotCanonical(value);
        }

        return new GuestVirtualAddress(value);
    }

    /// <summary>Makes an address of bits 47:0, repeating bit 47 above; bits 63:48 of the argument are ignored.</summary>
    public static GuestVirtualAddress SignExtend(ulong value) => new((ulong)((long)(value << 16) >> 16));

    /// <summary>Whether bits 63:47 are equal.</summary>
    public static bool IsCanonical(ulong value) => (ulong)((long)(value << 16) >> 16) == value;

    /// <summary>The page number of the given size: bits 47 down to the size's logarithm.</summary>
    public ulong PageNumber(PageSize size) => (Value & AddressBits.Mask48) >> (int)size;

    /// <summary>The offset within a page of the given size, in bytes.</summary>
    public ulong OffsetIn(PageSize size) => Value & ((1UL << (int)size) - 1);

    /// <summary>The address <paramref name="lengthBytes"/> further on; false where that is not canonical.</summary>
    public bool TryAdd(ulong lengthBytes, out GuestVirtualAddress sum)
    {
        sum = new GuestVirtualAddress(Value + lengthBytes);
        return Value + lengthBytes >= Value && IsCanonical(sum.Value);
    }

    /// <inheritdoc/>
    public override string ToString() => $"gva 0x{Value:x}";
}
