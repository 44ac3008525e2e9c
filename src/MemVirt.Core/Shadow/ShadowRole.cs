using System.Diagnostics;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;

namespace MemVirt.Core.Shadow;

/// <summary>
/// What a shadow page stands for, in one word. An indirect one shadows the guest table at an address; a direct one stands for a piece of a
/// larger guest page and has no guest table behind it.
/// </summary>
internal readonly record struct ShadowRole
{
    /// <summary>How many bits of its word a role takes; those above are 0.</summary>
    internal const int WordBits = 52;

    private const ulong WordMask = (1UL << WordBits) - 1;
    private const ulong FrameMask = (1UL << 40) - 1;
    private const int LevelShift = 40;
    private const ulong DirectBit = 1UL << 42;
    private const ulong GlobalBit = 1UL << 43;
    private const int RightsShift = 44;
    private const int QuadrantShift = 50;
    private readonly ulong _word;

    /// <summary>The role in the lower bits of a word, whatever is above them.</summary>
    internal ShadowRole(ulong word) => _word = word & WordMask;

    /// <param name="guestAddress">The guest-physical address of the guest's table, or of the piece's first byte.</param>
    /// <param name="level">The level, 0 for a table of PTEs.</param>
    /// <param name="direct">Whether it is direct.</param>
    /// <param name="rights">
    /// What the guest's entries above it grant together, so that a table reached by paths of different rights has a page for each. Of a
    /// direct page, what the guest's leaf grants, without <see cref="AccessRights.Write"/> while that is clean.
    /// </param>
    /// <param name="global">Of a direct page, the guest leaf's G bit.</param>
    /// <param name="quadrant">Of a table of 32-bit paging, which part of it, 0 to 3.</param>
    internal ShadowRole(ulong guestAddress, int level, bool direct, AccessRights rights, bool global = false, int quadrant = 0)
    {
        Debug.Assert((guestAddress & ~AddressBits.Frame) == 0 && level is >= 0 and < 4, "A table or a piece of a page, below five levels.");
        _word = FrameOf(guestAddress) | ((ulong)level << LevelShift) | (direct ? DirectBit : 0) | (global ? GlobalBit : 0)
                | ((ulong)rights << RightsShift) | ((ulong)quadrant << QuadrantShift);
    }

    internal ulong Word => _word;

    internal ulong GuestFrame => _word & FrameMask;

    internal ulong GuestAddress => GuestFrame << PageSize.Size4K.SizeLog2();

    internal int Level => (int)(_word >> LevelShift) & 3;

    internal bool Direct => (_word & DirectBit) != 0;

    internal bool Global => (_word & GlobalBit) != 0;

    internal AccessRights Rights => (AccessRights)(_word >> RightsShift) & AccessRights.Unrestricted;

    internal int Quadrant => (int)(_word >> QuadrantShift);

    internal static ulong FrameOf(ulong address) => address >> PageSize.Size4K.SizeLog2();
}
