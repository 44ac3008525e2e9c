namespace MemVirt.Core.Formats;

/// <summary>The shape all formats of x86-64 share.</summary>
public static class TableGeometry
{
    /// <summary>Address bits a level translates.</summary>
    public const int BitsPerLevel = 9;

    /// <summary>Entries of a table.</summary>
    public const int EntriesPerTable = 512;

    /// <summary>The lowest address bit that a level translates.</summary>
    public static int ShiftOf(int level) => 12 + (BitsPerLevel * level);

    /// <summary>The byte offset, within its table, of the entry that translates an address at a level.</summary>
    public static ulong EntryOffset(ulong address, int level) => (address >> (ShiftOf(level) - 3)) & 0xFF8;

    /// <summary>The physical address in an entry that refers to a table: bits 51:12.</summary>
    public static ulong TableAddress(ulong entry) => entry & Addresses.AddressBits.Frame;

    /// <summary>The physical address of the page that a leaf at a level maps: bits 51 down to the page size.</summary>
    public static ulong PageAddress(ulong entry, int level)
        => entry & (Addresses.AddressBits.Frame & ~((1UL << ShiftOf(level)) - 1));
}
