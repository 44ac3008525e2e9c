namespace MemVirt.Oracle;

/// <summary>The VMM's answer to a shadow or dirty fault: all missing shadow tables, the leaf, its neighbours.</summary>
internal sealed class ShadowBuilder(ShadowMemory memory, int guestPageSizeLog2, int leafSizeLog2, Action flush)
{
    private readonly int _guestLeafLevel = Paging.LeafLevel(guestPageSizeLog2);
    private readonly int _leafLevel = Paging.LeafLevel(leafSizeLog2);

    /// <summary>Whether the guest's tables map this address.</summary>
    public bool GuestMaps(GuestTable root, ulong va)
    {
        GuestTable table = root;
        while (table.Entries.TryGetValue(Paging.IndexOf(va, table.Level), out GuestEntry? entry))
        {
            if (entry.Next is null)
            {
                return true;
            }

            table = entry.Next;
        }

        return false;
    }

    public void Build(GuestTable root, ulong va, bool store)
    {
        GuestTable guestTable = root;
        while (guestTable.Level > _guestLeafLevel)
        {
            guestTable = guestTable.Entries[Paging.IndexOf(va, guestTable.Level)].Next!;
        }

        GuestEntry guestLeaf = guestTable.Entries[Paging.IndexOf(va, guestTable.Level)];
        guestLeaf.Dirty |= store;
        ulong gpa = guestLeaf.Page + Paging.OffsetIn(va, guestPageSizeLog2);
        ulong hpa = memory.Back(gpa);

        ShadowTable table = DescendShadows(root, va);
        table = DescendDirect(table, va, gpa, guestLeaf.Dirty);

        int index = Paging.IndexOf(va, _leafLevel);
        table.Entries[index] = new ShadowEntry(null, Paging.PageBase(hpa, leafSizeLog2), guestLeaf.Dirty);
        if (_leafLevel == 1)
        {
            FillNeighbours(table, index, guestTable, guestLeaf, gpa);
        }
    }

    /// <summary>From the root's shadow to that of the guest's leaf table; each is used by passing through.</summary>
    private ShadowTable DescendShadows(GuestTable root, ulong va)
    {
        GuestTable guestTable = root;
        ShadowTable shadow = memory.FindOrMakeShadow(root);
        shadow.Writes = 0;
        while (guestTable.Level > _guestLeafLevel)
        {
            int index = Paging.IndexOf(va, guestTable.Level);
            guestTable = guestTable.Entries[index].Next!;
            if (shadow.Entries.TryGetValue(index, out ShadowEntry? entry))
            {
                shadow = entry.Next!;
            }
            else
            {
                ShadowTable child = memory.FindOrMakeShadow(guestTable);
                shadow.Link(index, child);
                shadow = child;
            }

            shadow.Writes = 0;
        }

        return shadow;
    }

    /// <summary>Below a larger guest page: tables that differ with its D, so a new D takes new tables.</summary>
    private ShadowTable DescendDirect(ShadowTable table, ulong va, ulong gpa, bool dirty)
    {
        while (table.Level > _leafLevel)
        {
            int index = Paging.IndexOf(va, table.Level);
            bool present = table.Entries.TryGetValue(index, out ShadowEntry? entry);
            if (present && entry!.Next!.Writable == dirty)
            {
                table = entry.Next;
                continue;
            }

            ShadowTable child = memory.FindOrMakeDirect(gpa, table.Level - 1, dirty);
            table.Link(index, child);
            table = child;
            if (present)
            {
                flush();
            }
        }

        return table;
    }

    /// <summary>Of the aligned group of eight, those absent here, present in the guest and backed are filled too.</summary>
    private void FillNeighbours(ShadowTable table, int index, GuestTable guestTable, GuestEntry guestLeaf, ulong gpa)
    {
        ulong regionBase = Paging.PageBase(gpa, Paging.ShiftOf(2));
        int first = index & ~7;
        for (int neighbour = first; neighbour < first + 8; neighbour++)
        {
            // In a direct table the one large guest entry stands for all eight.
            GuestEntry? entry = _guestLeafLevel > 1 ? guestLeaf : guestTable.Entries.GetValueOrDefault(neighbour);
            if (table.Entries.ContainsKey(neighbour) || entry is null)
            {
                continue;
            }

            ulong page = _guestLeafLevel > 1 ? regionBase + ((ulong)neighbour << 12) : entry.Page;
            if (memory.IsBacked(page))
            {
                table.Entries.Add(neighbour, new ShadowEntry(null, memory.Back(page), entry.Dirty));
            }
        }
    }
}
