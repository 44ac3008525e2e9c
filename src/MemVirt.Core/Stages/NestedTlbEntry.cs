using MemVirt.Core.Access;
using MemVirt.Core.Addresses;

namespace MemVirt.Core.Stages;

/// <summary>
/// What a nested TLB says of a guest-physical address, in one word: bits 5:0 rights, 6 dirty, 8:7 the leaf's level, 51:12 the
/// host-physical frame, 55:52 the leaf's memory-type attributes.
/// </summary>
public readonly record struct NestedTlbEntry(ulong Bits)
{
    private const ulong DirtyBit = 1UL << 6;
    private const int LevelShift = 7;
    private const int AttributesShift = 52;

    /// <summary>The host-physical address of the 4 KiB frame.</summary>
    public ulong Frame => Bits & AddressBits.Frame;

    /// <summary>The level of the second stage's leaf: 0 for 4 KiB, 1 for 2 MiB, 2 for 1 GiB.</summary>
    public int LeafLevel => (int)(Bits >> LevelShift) & 3;

    /// <summary>What the second stage grants.</summary>
    public AccessRights Rights => (AccessRights)(Bits & (ulong)AccessRights.Unrestricted);

    /// <summary>Whether the leaf's dirty flag is set.</summary>
    public bool IsDirty => (Bits & DirtyBit) != 0;

    /// <summary>EPT's memory type and IPAT, or the index into the host's PAT.</summary>
    public int Attributes => (int)(Bits >> AttributesShift) & 15;

    /// <summary>The word of an entry.</summary>
    internal static ulong Pack(ulong frame, int leafLevel, AccessRights rights, bool dirty, int attributes)
        => frame | (ulong)rights | (dirty ? DirtyBit : 0) | ((ulong)leafLevel << LevelShift) | ((ulong)attributes << AttributesShift);
}
