using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Registers;

namespace MemVirt.Native.Probes;

/// <summary>The bits of the four entries of a walk besides the addresses; index 0 is the PTE, 3 the PML4E.</summary>
[InlineArray(Levels)]
internal struct EntryBits
{
    internal const int Levels = 4;
    private ulong _entry;
}

/// <summary>One access through four tables of its own.</summary>
internal struct Probe
{
    internal const ulong Present = 1UL << 0;
    internal const ulong Writable = 1UL << 1;
    internal const ulong User = 1UL << 2;
    internal const ulong Accessed = 1UL << 5;
    internal const ulong Dirty = 1UL << 6;
    internal const ulong PageSize = 1UL << 7;
    internal const ulong ExecuteDisable = 1UL << 63;

    /// <summary>Entries that allow everything and have nothing left to mark: what a deviation is shrunk towards.</summary>
    internal const ulong Plain = Present | Writable | User | Accessed | Dirty;

    internal EntryBits Entries;

    /// <summary>CR0, CR4, EFER, CPL and AC; CR3 is filled in where the tables are.</summary>
    internal PagingRegisters Registers;

    internal MemoryAccess Access;

    /// <summary>A canonical address outside the lowest 512 GiB; its low bits give way to the target's where a large page wants it.</summary>
    internal ulong BaseAddress;

    /// <summary>What the access needs of the engine's rights.</summary>
    internal readonly AccessRights Needed
        => (AccessRights)Access
           | (Registers.CurrentPrivilegeLevel == 3 ? AccessRights.User
               : Registers.AlignmentCheck ? AccessRights.AlignmentCheck : AccessRights.None);

    /// <summary>The level of the entry that ends the walk, where all above it are present.</summary>
    internal readonly int LeafLevel
        => (Entries[2] & PageSize) != 0 ? 2 : (Entries[1] & PageSize) != 0 ? 1 : 0;
}
