using MemVirt.Core.Walking;

namespace MemVirt.Simulation.Explain;

/// <summary>Who answered for a reference of a walk: the memory it was read from, or the cache that made the read needless.</summary>
public enum WalkServer
{
    /// <summary>Read, at the machine's flat price of a walk reference.</summary>
    Walker,

    /// <summary>Read; the first-level data cache had the line.</summary>
    L1d,

    /// <summary>Read; the second-level data cache had the line.</summary>
    L2,

    /// <summary>Read; the last-level data cache had the line.</summary>
    Llc,

    /// <summary>Read from memory.</summary>
    Memory,

    /// <summary>Not read: the guest's PML4E cache.</summary>
    Pml4eCache,

    /// <summary>Not read: the guest's PDPTE cache.</summary>
    PdpteCache,

    /// <summary>Not read: the guest's PDE cache.</summary>
    PdeCache,

    /// <summary>Not read: the nested TLB.</summary>
    NestedTlb,

    /// <summary>Not read: the second stage's PML4E cache.</summary>
    NestedPml4eCache,

    /// <summary>Not read: the second stage's PDPTE cache.</summary>
    NestedPdpteCache,

    /// <summary>Not read: the second stage's PDE cache.</summary>
    NestedPdeCache,
}

/// <summary>One reference of a walk as it would be without any cache, and what became of it.</summary>
/// <param name="Kind">Whose table it is.</param>
/// <param name="Level">The table's level, 0 for the leaf table (PTE) to 3 (PML4E).</param>
/// <param name="GuestLevel">
/// Under EPT and NPT, for whose sake: the level of the guest's entry that is looked for, <see cref="FinalAddress"/> for the accessed
/// page itself. Else <see cref="Level"/>.
/// </param>
/// <param name="HostAddress">The entry's host-physical address.</param>
/// <param name="GuestPhysical">
/// Under EPT and NPT, the guest-physical address in question: of the guest's entry, or the one that the second stage translates.
/// </param>
/// <param name="Entry">The 64-bit entry as the walk found it.</param>
/// <param name="FlagsSet">The accessed and dirty bits that the walk then set in it.</param>
/// <param name="Server">Who answered.</param>
/// <param name="Cycles">What the read cost; 0 where it was not made.</param>
public sealed record WalkReference(
    TableKind Kind, int Level, int GuestLevel, ulong HostAddress, ulong? GuestPhysical, ulong Entry, ulong FlagsSet, WalkServer Server,
    double Cycles)
{
    /// <summary>The <see cref="GuestLevel"/> of references that translate the accessed page's own address.</summary>
    public const int FinalAddress = -1;

    /// <summary>Whether a cache made the read needless.</summary>
    public bool IsSkipped => Server >= WalkServer.Pml4eCache;
}

/// <summary>One hit of a walk cache.</summary>
/// <param name="Cache">The cache.</param>
/// <param name="GuestLevel">For whose sake it was asked; see <see cref="WalkReference.GuestLevel"/>.</param>
/// <param name="Cycles">What the hit cost.</param>
/// <param name="Skipped">References it made needless.</param>
public sealed record WalkCacheHit(WalkServer Cache, int GuestLevel, double Cycles, int Skipped);
