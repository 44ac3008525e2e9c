namespace MemVirt.Cpu.Segmentation;

/// <summary>A segment or system descriptor (Intel SDM Vol. 3A §3.4.5, §3.5).</summary>
internal struct Descriptor(ulong value)
{
    private const ulong AccessedBit = 1UL << 40;
    private const uint AttributeMask = 0x00F0_FF00;

    /// <summary>The first eight bytes.</summary>
    public ulong Value = value;

    /// <summary>Bits 63:32 of the base, of a system descriptor of 16 bytes.</summary>
    public uint UpperBase;

    /// <summary>Type, 4 bits.</summary>
    public readonly int Type => (int)(Value >> 40) & 15;

    /// <summary>S: code or data.</summary>
    public readonly bool IsSegment => (Value & (1UL << 44)) != 0;

    /// <summary>DPL.</summary>
    public readonly int PrivilegeLevel => (int)(Value >> 45) & 3;

    /// <summary>P.</summary>
    public readonly bool IsPresent => (Value & (1UL << 47)) != 0;

    /// <summary>A code segment.</summary>
    public readonly bool IsCode => IsSegment && (Type & 8) != 0;

    /// <summary>A data segment.</summary>
    public readonly bool IsData => IsSegment && (Type & 8) == 0;

    /// <summary>A conforming code segment.</summary>
    public readonly bool IsConforming => IsCode && (Type & 4) != 0;

    /// <summary>A code segment that may be read, or a data segment.</summary>
    public readonly bool IsReadable => IsSegment && ((Type & 8) == 0 || (Type & 2) != 0);

    /// <summary>A data segment that may be written.</summary>
    public readonly bool IsWritable => IsData && (Type & 2) != 0;

    /// <summary>L.</summary>
    public readonly bool IsLong => (Value & (1UL << 53)) != 0;

    /// <summary>D/B.</summary>
    public readonly bool IsDefault32 => (Value & (1UL << 54)) != 0;

    /// <summary>Whether the accessed bit is set.</summary>
    public readonly bool IsAccessed => (Value & AccessedBit) != 0;

    /// <summary>The base.</summary>
    public readonly ulong Base => (Value >> 16 & 0xFF_FFFF) | (Value >> 32 & 0xFF00_0000) | ((ulong)UpperBase << 32);

    /// <summary>The last offset, in bytes.</summary>
    public readonly uint Limit
    {
        get
        {
            uint limit = (uint)(Value & 0xFFFF) | (uint)(Value >> 32 & 0xF_0000);
            return (Value & (1UL << 55)) != 0 ? (limit << 12) | 0xFFF : limit;
        }
    }

    /// <summary>Sets the accessed bit.</summary>
    public void SetAccessed() => Value |= AccessedBit;

    /// <summary>The segment register that a load of it makes.</summary>
    public readonly SegmentRegister ToSegment(ushort selector)
        => new() { Selector = selector, Attributes = (uint)(Value >> 32) & AttributeMask, Limit = Limit, Base = Base };
}
