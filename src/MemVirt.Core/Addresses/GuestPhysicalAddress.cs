namespace MemVirt.Core.Addresses;

/// <summary>A guest-physical address of at most 52 bits (Intel SDM Vol. 3A §4.1.4, MAXPHYADDR).</summary>
public readonly record struct GuestPhysicalAddress
{
    private GuestPhysicalAddress(ulong value) => Value = value;

    /// <summary>The address; bits 63:52 are 0.</summary>
    public ulong Value { get; }

    /// <summary>The address <paramref name="value"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The address has more than 52 bits.</exception>
    public static GuestPhysicalAddress Create(ulong value)
    {
        if (value > AddressBits.Mask52)
        {
            Throw.PhysicalAddressTooWide(value);
        }

        return new GuestPhysicalAddress(value);
    }

    /// <summary>The number of the 4 KiB frame that holds the address.</summary>
    public ulong Frame() => Value >> (int)PageSize.Size4K;

    /// <summary>The offset within a page of the given size, in bytes.</summary>
    public ulong OffsetIn(PageSize size) => Value & ((1UL << (int)size) - 1);

    /// <summary>The address <paramref name="lengthBytes"/> further on; false where that has more than 52 bits.</summary>
    public bool TryAdd(ulong lengthBytes, out GuestPhysicalAddress sum)
    {
        sum = new GuestPhysicalAddress((Value + lengthBytes) & AddressBits.Mask52);
        return Value + lengthBytes >= Value && Value + lengthBytes <= AddressBits.Mask52;
    }

    /// <inheritdoc/>
    public override string ToString() => $"gpa 0x{Value:x}";
}
