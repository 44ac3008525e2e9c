namespace MemVirt.Core.Shadow;

/// <summary>
/// What a shadow page stands for. An indirect one shadows the guest table at an address; a direct one stands for a piece of a larger
/// guest page, has no guest table behind it, and depends on that page's dirty bit. The rights of the path are no part of it, as
/// they are in KVM: here each link bears the guest's own entry's rights, and the hardware intersects them.
/// </summary>
/// <param name="GuestAddress">The guest-physical address of the guest's table, or of the piece's first byte.</param>
/// <param name="Level">The level, 0 for a table of PTEs.</param>
/// <param name="Direct">Whether it is direct.</param>
/// <param name="Writable">In a direct page, the guest's dirty bit.</param>
internal readonly record struct ShadowRole(ulong GuestAddress, int Level, bool Direct, bool Writable);

/// <summary>One shadow table. Kept by index in <see cref="ShadowPageSet"/>.</summary>
internal struct ShadowPage
{
    internal ShadowRole Role;

    /// <summary>The host-physical address of the shadow table.</summary>
    internal ulong Table;

    /// <summary>The guest root under which it was made; synchronised with it.</summary>
    internal ulong GuestRoot;

    /// <summary>A leaf table the guest may write freely until it is synchronised.</summary>
    internal bool OutOfSync;

    /// <summary>Guest writes since a shadow fault last passed through.</summary>
    internal int WritesSinceUse;

    /// <summary>The first entry that refers to it, an index of parent links, or −1.</summary>
    internal int FirstParent;

    /// <summary>The page made next before it and next after it, or −1.</summary>
    internal int Older;
    internal int Newer;
}
