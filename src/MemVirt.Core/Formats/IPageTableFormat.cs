using MemVirt.Core.Access;

namespace MemVirt.Core.Formats;

/// <summary>
/// The bits of one kind of page-table entry, and nothing else. Levels count from 0 at the leaf table (PTE) to
/// <see cref="Levels"/> − 1 at the root. Unless a format says otherwise: 512 eight-byte entries a table, nine address bits a level.
/// </summary>
public interface IPageTableFormat
{
    /// <summary>Levels of a walk from the root.</summary>
    static abstract int Levels { get; }

    /// <summary>Bits a walk sets in every entry it uses; 0 where the format keeps no accessed bit.</summary>
    static abstract ulong AccessedBit { get; }

    /// <summary>The bit a completed write sets in the leaf; 0 where the format keeps none.</summary>
    static abstract ulong DirtyBit { get; }

    /// <summary>Bytes of an entry: 8, or 4 in 32-bit paging.</summary>
    static virtual int EntryBytes => 8;

    /// <summary>
    /// Whether entries are EPT's: some values of bits that are not reserved by themselves are forbidden together, and faults are
    /// reported by exit qualification.
    /// </summary>
    static virtual bool IsExtendedPageTable => false;

    /// <summary>What is made of entries where nobody says otherwise: every feature, 52 bits of physical address.</summary>
    static abstract EntryRules DefaultRules { get; }

    /// <summary>Whether the entry refers to a table or page.</summary>
    static abstract bool IsPresent(ulong entry);

    /// <summary>Whether the present entry maps a page rather than referring to a table.</summary>
    static abstract bool IsLeaf(ulong entry, int level);

    /// <summary>The rights the entry grants; a walk's are the intersection over its entries.</summary>
    static abstract AccessRights Rights(ulong entry);

    /// <summary>
    /// The bits that withhold a right where they are set. Apart from them <see cref="Rights"/> takes a right from one bit each, so that
    /// entries can be intersected before their rights are told.
    /// </summary>
    static virtual ulong WithholdingBits => 0;

    /// <summary>The rights the entry grants as a leaf, where those differ: there a shadow-stack page shows.</summary>
    static abstract AccessRights LeafRights(ulong entry);

    /// <summary>The rights of a leaf and the entries above it: <see cref="Rights"/> of those and <see cref="LeafRights"/>, intersected.</summary>
    /// <param name="granted">The entries above, intersected, with <see cref="WithholdingBits"/> inverted in each.</param>
    /// <param name="leaf">The leaf.</param>
    static abstract AccessRights RightsOf(ulong granted, ulong leaf);

    /// <summary>The lowest address bit that a level translates.</summary>
    static virtual int ShiftOf(int level) => TableGeometry.ShiftOf(level);

    /// <summary>The byte offset, within its table, of the entry that translates an address at a level.</summary>
    static virtual ulong EntryOffset(ulong address, int level) => TableGeometry.EntryOffset(address, level);

    /// <summary>The physical address in an entry that refers to a table.</summary>
    static virtual ulong TableAddress(ulong entry) => TableGeometry.TableAddress(entry);

    /// <summary>The physical address of the page that a leaf at a level maps.</summary>
    static virtual ulong PageAddress(ulong entry, int level) => TableGeometry.PageAddress(entry, level);

    /// <summary>An entry that refers to the table at a physical address, granting every right.</summary>
    static abstract ulong TableEntry(ulong tableAddress);

    /// <summary>A leaf entry, accessed and, if asked, dirty, for the page at a physical address aligned to the level's page size.</summary>
    static abstract ulong LeafEntry(ulong pageAddress, int level, AccessRights rights, bool dirty);
}
