using MemVirt.Core.Access;

namespace MemVirt.Core.Shadow;

/// <summary>
/// What a shadow page stands for. An indirect one shadows the guest table at an address; a direct one stands for a piece of a larger
/// guest page and has no guest table behind it.
/// </summary>
/// <param name="GuestAddress">The guest-physical address of the guest's table, or of the piece's first byte.</param>
/// <param name="Level">The level, 0 for a table of PTEs.</param>
/// <param name="Direct">Whether it is direct.</param>
/// <param name="Rights">
/// What the guest's entries above it grant together, so that a table reached by paths of different rights has a page for each. Of a
/// direct page, what the guest's leaf grants, without <see cref="AccessRights.Write"/> while that is clean.
/// </param>
/// <param name="Global">Of a direct page, the guest leaf's G bit.</param>
internal readonly record struct ShadowRole(ulong GuestAddress, int Level, bool Direct, AccessRights Rights, bool Global = false);

/// <summary>One shadow table. Kept by index in <see cref="ShadowPageSet"/>; 64 bytes, which the order of its fields sees to.</summary>
internal struct ShadowPage
{
    internal ShadowRole Role;

    /// <summary>The host-physical address of the shadow table.</summary>
    internal ulong Table;

    /// <summary>The guest root under which it was made; synchronised with it, linked or not.</summary>
    internal ulong GuestRoot;

    /// <summary>The last search that came by, which found <see cref="SearchFound"/>; see <see cref="ShadowPageSet.HangsBelow"/>.</summary>
    internal long Search;

    /// <summary>Guest writes since a shadow fault last passed through.</summary>
    internal int WritesSinceUse;

    /// <summary>The first entry that refers to it, an index of parent links, or −1.</summary>
    internal int FirstParent;

    /// <summary>The page made next before it and next after it, or −1.</summary>
    internal int Older;
    internal int Newer;

    /// <summary>What the last search found.</summary>
    internal bool SearchFound;

    /// <summary>A leaf table the guest may write freely until it is synchronised.</summary>
    internal bool OutOfSync;
}
