using MemVirt.Core.Access;

namespace MemVirt.Core.Formats;

/// <summary>
/// Intel extended page tables, four levels, accessed and dirty flags in use (Intel SDM Vol. 3C §28.3.2, tables 28-1 to 28-7).
/// An entry is present when any of read, write and execute is set.
/// </summary>
public readonly struct EptFormat : IPageTableFormat
{
    private const ulong Read = 1UL << 0;
    private const ulong Write = 1UL << 1;
    private const ulong Execute = 1UL << 2;
    private const ulong MemoryTypeWriteBack = 6UL << 3;
    private const ulong PageSizeBit = 1UL << 7;
    private const ulong Accessed = 1UL << 8;
    private const ulong Dirty = 1UL << 9;

    /// <inheritdoc/>
    public static int Levels => 4;

    /// <inheritdoc/>
    public static ulong AccessedBit => Accessed;

    /// <inheritdoc/>
    public static ulong DirtyBit => Dirty;

    /// <inheritdoc/>
    public static bool IsPresent(ulong entry) => (entry & (Read | Write | Execute)) != 0;

    /// <inheritdoc/>
    public static bool IsLeaf(ulong entry, int level) => level == 0 || ((entry & PageSizeBit) != 0 && level < 3);

    /// <inheritdoc/>
    public static AccessRights Rights(ulong entry)
        => (AccessRights)(entry & (Read | Write | Execute)) | AccessRights.User;

    /// <inheritdoc/>
    public static ulong TableEntry(ulong tableAddress) => tableAddress | Read | Write | Execute | Accessed;

    /// <inheritdoc/>
    public static ulong LeafEntry(ulong pageAddress, int level, AccessRights rights, bool dirty)
        => pageAddress | MemoryTypeWriteBack | Accessed
           | ((ulong)rights & (Read | Write | Execute))
           | (dirty ? Dirty : 0)
           | (level > 0 ? PageSizeBit : 0);
}
