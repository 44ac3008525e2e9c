namespace MemVirt.Core.Addresses;

/// <summary>A host-physical address of at most 52 bits (Intel SDM Vol. 3A §4.1.4, MAXPHYADDR).</summary>
public readonly record struct HostPhysicalAddress
{
    private HostPhysicalAddress(ulong value) => Value = value;

    /// <summary>The address; bits 63:52 are 0.</summary>
    public ulong Value { get; }

    /// <summary>The address <paramref name="value"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The address has more than 52 bits.</exception>
    public static HostPhysicalAddress Create(ulong value)
    {
        if (value > AddressBits.Mask52)
        {
            Throw.PhysicalAddressTooWide(value);
        }

        return new HostPhysicalAddress(value);
    }

    /// <summary>An address that is known to have at most 52 bits.</summary>
    public static HostPhysicalAddress FromValid(ulong value) => new(value);

    /// <summary>The number of the 4 KiB frame that holds the address.</summary>
    public ulong Frame() => Value >> (int)PageSize.Size4K;

    /// <summary>The offset within a page of the given size, in bytes.</summary>
    public ulong OffsetIn(PageSize size) => Value & ((1UL << (int)size) - 1);

    /// <summary>The address <paramref name="lengthBytes"/> further on; false where that has more than 52 bits.</summary>
    public bool TryAdd(ulong lengthBytes, out HostPhysicalAddress sum)
    {
        sum = new HostPhysicalAddress((Value + lengthBytes) & AddressBits.Mask52);
        return Value + lengthBytes >= Value && Value + lengthBytes <= AddressBits.Mask52;
    }

    /// <inheritdoc/>
    public override string ToString() => $"hpa 0x{Value:x}";
}
