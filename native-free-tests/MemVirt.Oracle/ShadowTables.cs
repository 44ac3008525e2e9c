namespace MemVirt.Oracle;

/// <summary>A present shadow entry: a link to the next table, or a leaf.</summary>
internal sealed record ShadowEntry(ShadowTable? Next, ulong Page, bool Writable);

/// <summary>A table the hardware walks in place of the guest's, or below a larger guest page.</summary>
internal sealed class ShadowTable(int level, ulong address, bool writable)
{
    private int _indexInParent;

    public int Level { get; } = level;

    /// <summary>Host-physical.</summary>
    public ulong Address { get; } = address;

    /// <summary>Of a direct table: the D of the guest's leaf it was made for.</summary>
    public bool Writable { get; } = writable;

    public Dictionary<int, ShadowEntry> Entries { get; } = [];

    /// <summary>The table whose entry leads here.</summary>
    public ShadowTable? Parent { get; private set; }

    /// <summary>Guest writes to the shadowed table since it was last used (level 2 and up).</summary>
    public int Writes { get; set; }

    /// <summary>Whether guest writes to the shadowed table are caught (level 1).</summary>
    public bool InSync { get; set; } = true;

    public void Link(int index, ShadowTable child)
    {
        Entries[index] = new ShadowEntry(child, Page: 0, Writable: true);
        child.Parent = this;
        child._indexInParent = index;
    }

    public void UnlinkFromParent() => Parent?.Entries.Remove(_indexInParent);
}

/// <summary>The VMM's shadow tables and the host pages behind the guest's.</summary>
internal sealed class ShadowMemory(int hostPageSizeLog2)
{
    private readonly BumpAllocator _frames = new();
    private readonly Dictionary<ulong, ulong> _backing = [];
    private readonly Dictionary<GuestTable, ShadowTable> _shadows = [];
    private readonly Dictionary<(ulong GuestPhysical, int Level, bool Dirty), ShadowTable> _direct = [];

    public bool IsBacked(ulong gpa) => _backing.ContainsKey(gpa >> hostPageSizeLog2);

    /// <summary>The host-physical address; its page is backed first where it was not.</summary>
    public ulong Back(ulong gpa)
    {
        if (!_backing.TryGetValue(gpa >> hostPageSizeLog2, out ulong page))
        {
            page = _frames.Allocate(hostPageSizeLog2);
            _backing.Add(gpa >> hostPageSizeLog2, page);
        }

        return page + Paging.OffsetIn(gpa, hostPageSizeLog2);
    }

    public ShadowTable? ShadowOf(GuestTable guest) => _shadows.GetValueOrDefault(guest);

    /// <summary>The guest table's shadow; from here on the table is shadowed.</summary>
    public ShadowTable FindOrMakeShadow(GuestTable guest)
    {
        if (!_shadows.TryGetValue(guest, out ShadowTable? shadow))
        {
            shadow = new ShadowTable(guest.Level, _frames.Allocate(12), writable: true);
            _shadows.Add(guest, shadow);
        }

        return shadow;
    }

    /// <summary>A table below a larger guest page, found by the first guest frame it maps, its level and the guest's D.</summary>
    public ShadowTable FindOrMakeDirect(ulong gpa, int level, bool dirty)
    {
        ulong first = Paging.PageBase(gpa, Paging.ShiftOf(level + 1));
        if (!_direct.TryGetValue((first, level, dirty), out ShadowTable? table))
        {
            table = new ShadowTable(level, _frames.Allocate(12), dirty);
            _direct.Add((first, level, dirty), table);
        }

        return table;
    }

    /// <summary>The tables below survive and are linked again when next needed.</summary>
    public void Remove(GuestTable guest)
    {
        _shadows[guest].UnlinkFromParent();
        _shadows.Remove(guest);
    }

    /// <summary>Puts every level-1 shadow below this guest table in sync.</summary>
    public void Synchronize(GuestTable guest)
    {
        if (guest.Level == 1)
        {
            if (ShadowOf(guest) is ShadowTable shadow)
            {
                shadow.InSync = true;
            }

            return;
        }

        foreach (GuestEntry entry in guest.Entries.Values)
        {
            if (entry.Next is not null)
            {
                Synchronize(entry.Next);
            }
        }
    }
}
