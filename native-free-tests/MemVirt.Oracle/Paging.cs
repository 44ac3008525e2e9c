namespace MemVirt.Oracle;

/// <summary>Four-level paging arithmetic. Levels are the manuals': 4 is the root (PML4), 1 the page table.</summary>
internal static class Paging
{
    public const int RootLevel = 4;
    public const ulong AddressMask = (1UL << 48) - 1;

    /// <summary>How many address bits lie below the part that indexes a table of this level: 12, 21, 30, 39.</summary>
    public static int ShiftOf(int level) => 12 + 9 * (level - 1);

    public static int IndexOf(ulong address, int level) => (int)((address >> ShiftOf(level)) & 511);

    public static ulong EntryAddress(ulong tableAddress, ulong address, int level) =>
        tableAddress + 8UL * (ulong)IndexOf(address, level);

    /// <summary>The level of the table whose entries map pages of this size.</summary>
    public static int LeafLevel(int sizeLog2) => (sizeLog2 - 12) / 9 + 1;

    public static ulong PageBase(ulong address, int sizeLog2) => address & ~((1UL << sizeLog2) - 1);

    public static ulong OffsetIn(ulong address, int sizeLog2) => address & ((1UL << sizeLog2) - 1);

    public static int ParseSize(string text) => text switch
    {
        "4k" => 12,
        "2m" => 21,
        "1g" => 30,
        _ => throw new ArgumentException($"page size '{text}' is not 4k, 2m or 1g"),
    };
}

/// <summary>Whose translation it is: the process (PCID) and the guest (VPID or ASID).</summary>
internal readonly record struct Tag(int Pcid, int GuestId);

/// <summary>Hands out physical memory upward from 1 MiB and never takes any back.</summary>
internal sealed class BumpAllocator
{
    private ulong _next = 1UL << 20;

    /// <summary>The pointer is rounded up to the size's alignment; what is skipped is lost.</summary>
    public ulong Allocate(int sizeLog2)
    {
        ulong size = 1UL << sizeLog2;
        ulong address = (_next + size - 1) & ~(size - 1);
        _next = address + size;
        return address;
    }
}
