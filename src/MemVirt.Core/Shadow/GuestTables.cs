using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Shadow;

/// <summary>
/// The guest's tables, in the paging mode of its registers, as the pager reads them, and how they lie to the shadow's. A shadow table has
/// 512 entries of eight bytes. One of 32-bit paging has 1,024 of four, each of a directory for 4 MiB where the shadow's is for 2: it has two
/// shadow pages, a directory has four, told apart by their quadrant, as in KVM. What PAE and 32-bit paging have above the directory is no
/// shadow page: there are four roots, which the processor holds in its PDPTE registers.
/// </summary>
internal sealed class GuestTables(GuestMemory memory, GuestRules rules)
{
    private const int MostRoots = 4;
    private const int GigabyteShift = 30;
    private const int ShadowEntryBytes = 8;
    private const ulong Present = 1;

    /// <summary>The PDPTE registers of a guest in PAE paging.</summary>
    internal PageDirectoryPointers Pointers { get; set; }

    /// <summary>Roots of a CR3: 1, or 4 for a gigabyte each.</summary>
    internal int Roots => IsFourLevel ? 1 : MostRoots;

    /// <summary>The level of the roots.</summary>
    internal int TopLevel => IsFourLevel ? X64FourLevel.Levels - 1 : PaeFormat.Levels - 1;

    /// <summary>Bytes of an entry.</summary>
    internal int EntryBytes => Is32Bits ? Bits32Format<On>.EntryBytes : ShadowEntryBytes;

    private bool IsFourLevel => rules.Mode == PagingMode.FourLevel;

    private bool Is32Bits => rules.Mode == PagingMode.Bits32;

    /// <summary>Which of the roots translates an address.</summary>
    internal int RootNumber(ulong address) => IsFourLevel ? 0 : (int)(address >> GigabyteShift) & (MostRoots - 1);

    /// <summary>The shadow page that stands for a root of a CR3; false where its PDPTE is not present.</summary>
    internal bool TryRootRole(ulong cr3, int number, out ShadowRole role)
    {
        ulong table = cr3 & AddressBits.Frame;
        bool isPresent = true;
        if (rules.Mode == PagingMode.Pae)
        {
            ulong pointer = Pointers.Of((uint)number << GigabyteShift);
            (table, isPresent) = (pointer & AddressBits.Frame, (pointer & Present) != 0);
        }

        role = isPresent ? new ShadowRole(table, TopLevel, direct: false, AccessRights.Unrestricted, quadrant: Is32Bits ? number : 0) : default;
        return isPresent;
    }

    /// <summary>Walks the tables below a CR3 without touching accessed bits and without backing anything.</summary>
    internal GuestWalkPath Walk(ulong cr3, ulong address)
    {
        switch (rules.Mode)
        {
            case PagingMode.FourLevel:
                return GuestWalkPath.Walk<X64FourLevel>(memory, rules.Entries, cr3 & AddressBits.Frame, address);
            case PagingMode.Pae:
                return TryRootRole(cr3, RootNumber(address), out ShadowRole root)
                    ? GuestWalkPath.Walk<PaeFormat>(memory, rules.Entries, root.GuestAddress, address)
                    : new GuestWalkPath { Status = WalkStatus.NotPresent };
            default:
                return rules.LargePages32
                    ? GuestWalkPath.Walk<Bits32Format<On>>(memory, rules.Entries, cr3 & AddressBits.Frame, address)
                    : GuestWalkPath.Walk<Bits32Format<Off>>(memory, rules.Entries, cr3 & AddressBits.Frame, address);
        }
    }

    /// <summary>Which part of a guest's table at a level has the shadow page that translates an address.</summary>
    internal int QuadrantOf(ulong address, int level)
        => !Is32Bits ? 0 : level == 0 ? (int)(address >> TableGeometry.ShiftOf(1)) & 1 : RootNumber(address);

    /// <summary>The guest-physical address of the entry that translates an address in a guest's table at a level.</summary>
    internal ulong EntryAddress(ulong table, ulong address, int level)
        => table + (Is32Bits ? Bits32Format<On>.EntryOffset(address, level) : TableGeometry.EntryOffset(address, level));

    /// <summary>The guest-physical address of the entry that an entry of a leaf table's shadow page follows.</summary>
    internal ulong EntryAddress(ShadowRole leafTable, ulong shadowOffset)
        => leafTable.GuestAddress
           + (Is32Bits ? (shadowOffset / 2) + ((ulong)leafTable.Quadrant * TableGeometry.EntriesPerTable * 4) : shadowOffset);

    /// <summary>The entry at a guest-physical address.</summary>
    internal ulong Read(ulong entryAddress) => Is32Bits ? GuestWalkPath.Read<Bits32Format<On>>(memory, entryAddress) : memory.Read(entryAddress);

    /// <summary>Sets flags of the entry at a guest-physical address; false where it has them.</summary>
    internal bool SetFlags(ulong entryAddress, ulong flags)
    {
        int shift = Is32Bits ? (int)(entryAddress & 4) * 8 : 0;
        ulong word = entryAddress & ~7UL;
        if ((memory.Read(word) >> shift & flags) == flags)
        {
            return false;
        }

        memory.SetBits(word, flags << shift);
        return true;
    }

    /// <summary>
    /// The entries of a shadow page that follow what a store to the guest's table wrote; false where they are another page's (KVM's
    /// get_written_sptes).
    /// </summary>
    /// <param name="role">The page.</param>
    /// <param name="gpa">Where the store began.</param>
    /// <param name="firstOffset">Where the first lies in its table, in bytes.</param>
    /// <param name="entries">How many there are.</param>
    internal bool TryWrittenEntries(ShadowRole role, ulong gpa, out ulong firstOffset, out int entries)
    {
        ulong offset = gpa & 0xFF8;
        entries = 1;
        int quadrant = 0;
        if (Is32Bits)
        {
            offset = (gpa & 0xFFC) * 2;
            if (role.Level > 0)
            {
                (offset, entries) = (offset * 2, 2);
            }

            quadrant = (int)(offset >> PageSize.Size4K.SizeLog2());
        }

        firstOffset = offset & 0xFF8;
        return quadrant == role.Quadrant;
    }

    /// <summary>Whether a store wrote one entry, and half of an eight-byte one at the least (KVM's detect_write_misaligned).</summary>
    internal bool IsOfOneEntry(ulong gpa, int lengthBytes)
        => lengthBytes >= ShadowEntryBytes / 2 && ((gpa ^ (gpa + (ulong)lengthBytes - 1)) & ~((ulong)EntryBytes - 1)) == 0;
}
