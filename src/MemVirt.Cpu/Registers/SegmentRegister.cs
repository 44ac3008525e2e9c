namespace MemVirt.Cpu;

/// <summary>A segment register with its hidden part (Intel SDM Vol. 3A §3.4.3).</summary>
internal struct SegmentRegister
{
    /// <summary>The selector.</summary>
    public ushort Selector;

    /// <summary>Bits 15:8 and 23:20 of the descriptor's upper half, at their places: type, S, DPL, P, AVL, L, D/B, G.</summary>
    public uint Attributes;

    /// <summary>The last offset, in bytes.</summary>
    public uint Limit;

    /// <summary>The base.</summary>
    public ulong Base;

    /// <summary>L of a code segment.</summary>
    public readonly bool IsLong => (Attributes & (1 << 21)) != 0;

    /// <summary>D/B.</summary>
    public readonly bool IsDefault32 => (Attributes & (1 << 22)) != 0;

    /// <summary>
    /// Whether any access to it is within its limit and of a kind that its type allows: of code, any fetch; of data, a read or a write at any
    /// offset of 32 bits.
    /// </summary>
    public readonly bool IsFlat(bool isCode)
    {
        // P, S, code, expand-down and writable; of code the last three do not count.
        const uint type = 0x9E00;
        const uint writable = 0x9200;
        return Limit == uint.MaxValue && (isCode || (Attributes & type) == writable);
    }

    /// <summary>DPL.</summary>
    public readonly int PrivilegeLevel => (int)(Attributes >> 13) & 3;
}
