namespace MemVirt.Core.Mapping;

/// <summary>
/// Addresses [<see cref="Start"/>, <see cref="Start"/> + <see cref="LengthBytes"/>) of the space that tables translate.
/// </summary>
/// <param name="Start">The first address.</param>
/// <param name="LengthBytes">How many bytes follow from there.</param>
public readonly record struct AddressRange(ulong Start, ulong LengthBytes)
{
    /// <summary>The last address; meaningless in an empty range.</summary>
    public ulong Last => Start + LengthBytes - 1;

    /// <summary>Whether an address lies in the range.</summary>
    public bool Contains(ulong address) => address - Start < LengthBytes;

    /// <inheritdoc/>
    public override string ToString() => $"[0x{Start:x}, 0x{Start + LengthBytes:x})";
}
