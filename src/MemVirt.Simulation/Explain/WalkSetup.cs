using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Registers;
using MemVirt.Simulation.Machines;

namespace MemVirt.Simulation.Explain;

/// <summary>Whose tables an edit is for.</summary>
public enum EditedTable
{
    /// <summary>The guest's; a native system's own. Shadow tables follow them.</summary>
    Guest,

    /// <summary>Extended page tables; other regimes are left alone.</summary>
    Ept,

    /// <summary>Nested page tables; other regimes are left alone.</summary>
    Npt,
}

/// <summary>Bits to set or clear in an entry that the access's walk passes.</summary>
/// <param name="Table">Whose table.</param>
/// <param name="Level">The entry's level, 0 (PTE) to 3 (PML4E).</param>
/// <param name="GuestLevel">
/// Of a second stage, the path: to the guest's table of this level, 0 to 3, or <see cref="WalkReference.FinalAddress"/> for the
/// accessed page.
/// </param>
/// <param name="Bits">The bits.</param>
/// <param name="Sets">Whether they are set, or else cleared.</param>
public sealed record EntryEdit(EditedTable Table, int Level, int GuestLevel, ulong Bits, bool Sets);

/// <summary>An access to a page of its own, and what is done to the tables before it.</summary>
public sealed record WalkSetup
{
    /// <summary>The linear address.</summary>
    public required GuestVirtualAddress Address { get; init; }

    /// <summary>What the access does.</summary>
    public required MemoryAccess Access { get; init; }

    /// <summary>The machine whose caches, empty at first, serve the walk.</summary>
    public required MachineDescription Machine { get; init; }

    /// <summary>The guest's page size.</summary>
    public PageSize GuestPages { get; init; } = PageSize.Size4K;

    /// <summary>The size of the host pages behind the guest.</summary>
    public PageSize HostPages { get; init; } = PageSize.Size4K;

    /// <summary>The guest's registers: four-level paging at CPL 3 with CR0.WP and EFER.NXE, the optional controls off.</summary>
    public PagingRegisters Registers { get; init; } = new()
    {
        Cr0 = Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect,
        Cr4 = Cr4.PhysicalAddressExtension,
        Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
        CurrentPrivilegeLevel = 3,
    };

    /// <summary>MAXPHYADDR of guest and host, 32 to 52: address bits above it are reserved in entries.</summary>
    public int PhysicalAddressBits { get; init; } = 46;

    /// <summary>What is changed in the tables once they are built, in order. All entries are those of the walk before any change.</summary>
    public IReadOnlyList<EntryEdit> Edits { get; init; } = [];
}
