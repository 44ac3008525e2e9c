namespace MemVirt.Core.MemoryTypes;

/// <summary>Which encodings of memory types are valid where.</summary>
public static class MemoryTypeEncodings
{
    // Bits 0, 1, 4, 5 and 6; the PAT has bit 7, UC-, too.
    private const uint RangeTypes = 0b0111_0011;
    private const uint AttributeTypes = 0b1111_0011;

    /// <summary>Whether an MTRR may hold the byte: UC, WC, WT, WP or WB (Intel SDM Vol. 3A table 11-8).</summary>
    public static bool IsRangeType(byte encoding) => encoding < 8 && (RangeTypes >> encoding & 1) != 0;

    /// <summary>Whether a field of the PAT may hold the byte: those and UC- (Intel SDM Vol. 3A table 11-10).</summary>
    public static bool IsAttributeType(byte encoding) => encoding < 8 && (AttributeTypes >> encoding & 1) != 0;
}
