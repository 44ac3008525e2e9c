using MemVirt.Core.Access;

namespace MemVirt.Core.Formats;

/// <summary>
/// The bits of one kind of page-table entry, and nothing else: 512 eight-byte entries a table, nine address bits a level.
/// Levels count from 0 at the leaf table (PTE) to <see cref="Levels"/> − 1 at the root.
/// </summary>
public interface IPageTableFormat
{
    /// <summary>Levels of a walk from the root.</summary>
    static abstract int Levels { get; }

    /// <summary>Bits a walk sets in every entry it uses; 0 where the format keeps no accessed bit.</summary>
    static abstract ulong AccessedBit { get; }

    /// <summary>The bit a completed write sets in the leaf; 0 where the format keeps none.</summary>
    static abstract ulong DirtyBit { get; }

    /// <summary>Whether the entry refers to a table or page.</summary>
    static abstract bool IsPresent(ulong entry);

    /// <summary>Whether the present entry maps a page rather than referring to a table.</summary>
    static abstract bool IsLeaf(ulong entry, int level);

    /// <summary>The rights the entry grants; a walk's are the intersection over its entries.</summary>
    static abstract AccessRights Rights(ulong entry);

    /// <summary>An entry that refers to the table at a physical address, granting every right.</summary>
    static abstract ulong TableEntry(ulong tableAddress);

    /// <summary>A leaf entry, accessed and, if asked, dirty, for the page at a physical address aligned to the level's page size.</summary>
    static abstract ulong LeafEntry(ulong pageAddress, int level, AccessRights rights, bool dirty);
}
