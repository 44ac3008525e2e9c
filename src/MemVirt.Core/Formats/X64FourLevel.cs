using MemVirt.Core.Access;

namespace MemVirt.Core.Formats;

/// <summary>Four-level paging: PML4E, PDPTE, PDE, PTE (Intel SDM Vol. 3A §4.5.4, tables 4-15 to 4-20).</summary>
public readonly struct X64FourLevel : IPageTableFormat
{
    private const ulong Present = 1UL << 0;
    private const ulong Writable = 1UL << 1;
    private const ulong UserMode = 1UL << 2;
    private const ulong Accessed = 1UL << 5;
    private const ulong Dirty = 1UL << 6;
    private const ulong PageSizeBit = 1UL << 7;
    private const ulong ExecuteDisable = 1UL << 63;

    /// <inheritdoc/>
    public static int Levels => 4;

    /// <inheritdoc/>
    public static ulong AccessedBit => Accessed;

    /// <inheritdoc/>
    public static ulong DirtyBit => Dirty;

    /// <inheritdoc/>
    public static bool IsPresent(ulong entry) => (entry & Present) != 0;

    /// <inheritdoc/>
    public static bool IsLeaf(ulong entry, int level) => level == 0 || ((entry & PageSizeBit) != 0 && level < 3);

    /// <inheritdoc/>
    public static AccessRights Rights(ulong entry)
        => AccessRights.Read
           | (AccessRights)(entry & Writable)
           | (AccessRights)((~entry >> 63) << 2)
           | (AccessRights)((entry & UserMode) << 1);

    /// <inheritdoc/>
    public static ulong TableEntry(ulong tableAddress) => tableAddress | Present | Writable | UserMode | Accessed;

    /// <inheritdoc/>
    public static ulong LeafEntry(ulong pageAddress, int level, AccessRights rights, bool dirty)
        => pageAddress | Present | Accessed
           | ((rights & AccessRights.Write) != 0 ? Writable : 0)
           | ((rights & AccessRights.User) != 0 ? UserMode : 0)
           | ((rights & AccessRights.Execute) == 0 ? ExecuteDisable : 0)
           | (dirty ? Dirty : 0)
           | (level > 0 ? PageSizeBit : 0);
}
