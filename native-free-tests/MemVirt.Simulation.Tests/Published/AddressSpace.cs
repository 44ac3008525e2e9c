namespace MemVirt.Simulation.Tests.Published;

/// <summary>What lies behind a region of a process.</summary>
internal enum RegionKind
{
    /// <summary>A file's pages as the page cache holds them, read-only: text.</summary>
    File,

    /// <summary>A file's pages, copied when written: data.</summary>
    Private,

    /// <summary>Zeroed pages: heap, stack.</summary>
    Anonymous,
}

/// <summary>A region of a process, as a VMA.</summary>
/// <param name="Start">The first address.</param>
/// <param name="Pages">Its length in 4 KiB pages.</param>
/// <param name="Kind">What lies behind it.</param>
/// <param name="File">Which file, where it has one.</param>
internal sealed record Region(ulong Start, int Pages, RegionKind Kind, int File = -1)
{
    internal ulong End => Start + ((ulong)Pages << 12);
}

/// <summary>A process's tables and regions. With page-table isolation it has two roots, of which the user's lacks the kernel.</summary>
internal sealed class AddressSpace
{
    /// <summary>The root with everything.</summary>
    internal ulong KernelRoot { get; set; }

    /// <summary>The root for user mode; the same without page-table isolation.</summary>
    internal ulong UserRoot { get; set; }

    internal List<Region> Regions { get; } = [];

    /// <summary>Leaf tables by bits 47:21 of the addresses they translate, and the entries that lead to tables, for giving them back.</summary>
    internal SortedDictionary<ulong, ulong> LeafTables { get; } = [];

    /// <summary>Each table below the root with the entry that links it, in the order in which they were made.</summary>
    internal List<(ulong Table, ulong Entry, int Level)> Tables { get; } = [];

    internal Region RegionOf(ulong address)
        => Regions.Find(region => address >= region.Start && address < region.End)
           ?? throw new InvalidOperationException($"No region holds 0x{address:X}: the guest has a bug.");
}
