namespace MemVirt.Oracle;

/// <summary>A guest entry that is present: a link to the next table, or a leaf. A=1 in all of them.</summary>
internal sealed class GuestEntry
{
    /// <summary>Null in a leaf.</summary>
    public GuestTable? Next { get; init; }

    /// <summary>The page's guest-physical address, in a leaf.</summary>
    public ulong Page { get; init; }

    public bool Dirty { get; set; }
}

/// <summary>A guest page table; an index that is not among the entries is an absent entry.</summary>
internal sealed class GuestTable(int level, ulong address)
{
    public int Level { get; } = level;

    /// <summary>Guest-physical.</summary>
    public ulong Address { get; } = address;

    public Dictionary<int, GuestEntry> Entries { get; } = [];
}

/// <summary>A process: its page tables' root and the PCID its CR3 is loaded with.</summary>
internal sealed record Process(int Pcid, GuestTable Root);

/// <summary>The guest's operating system: gives each page a frame at its first touch.</summary>
internal sealed class GuestSystem(int pageSizeLog2, Counts counts)
{
    private readonly BumpAllocator _frames = new();

    public int PageSizeLog2 { get; } = pageSizeLog2;

    public Process StartProcess(int pcid) => new(pcid, new GuestTable(Paging.RootLevel, _frames.Allocate(12)));

    /// <summary>
    /// Handles a guest page fault: missing tables are allocated and linked from the top down, then the page, the leaf
    /// last. <paramref name="written"/> is told of every table as one of its entries is written.
    /// </summary>
    public void HandlePageFault(Process process, ulong va, bool store, Action<GuestTable> written)
    {
        GuestTable table = process.Root;
        while (table.Level > Paging.LeafLevel(PageSizeLog2))
        {
            int index = Paging.IndexOf(va, table.Level);
            if (!table.Entries.TryGetValue(index, out GuestEntry? link))
            {
                link = new GuestEntry { Next = new GuestTable(table.Level - 1, _frames.Allocate(12)) };
                Write(table, index, link, written);
            }

            table = link.Next!;
        }

        GuestEntry leaf = new() { Page = _frames.Allocate(PageSizeLog2), Dirty = store };
        Write(table, Paging.IndexOf(va, table.Level), leaf, written);
    }

    private void Write(GuestTable table, int index, GuestEntry entry, Action<GuestTable> written)
    {
        table.Entries.Add(index, entry);
        counts[Counter.PageTableWrites]++;
        written(table);
    }
}
