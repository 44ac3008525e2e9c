namespace MemVirt.Oracle;

/// <summary>From guest-physical to host-physical, as the walk meets it.</summary>
internal interface ISecondStage
{
    /// <summary>False is a violation.</summary>
    bool TryTranslate(ulong gpa, WalkReads reads, out ulong hpa);
}

/// <summary>Native: GPA = HPA, no read.</summary>
internal sealed class IdentityStage : ISecondStage
{
    public bool TryTranslate(ulong gpa, WalkReads reads, out ulong hpa)
    {
        hpa = gpa;
        return true;
    }
}

/// <summary>A second-stage table; an index that is not there is an absent entry.</summary>
internal sealed class HostTable(int level, ulong address)
{
    public int Level { get; } = level;

    /// <summary>Host-physical.</summary>
    public ulong Address { get; } = address;

    public Dictionary<int, HostTable> Links { get; } = [];

    /// <summary>Leaf entries: the page's host-physical address.</summary>
    public Dictionary<int, ulong> Pages { get; } = [];
}

/// <summary>EPT or NPT: tables the VMM fills at the first touch of each page, and the caches in front of them.</summary>
internal sealed class NestedStage : ISecondStage
{
    // EPTP or ASID only: the second stage is the same for every process.
    private static readonly Tag GuestTag = new(0, 1);

    private readonly BumpAllocator _frames = new();
    private readonly HostTable _root;
    private readonly int _pageSizeLog2;
    private readonly WalkCaches<HostTable> _caches;
    private readonly SetAssociative<ulong>? _nestedTlb;
    private readonly Counts _counts;

    public NestedStage(int pageSizeLog2, MachineDescription machine, Counts counts)
    {
        _root = new HostTable(Paging.RootLevel, _frames.Allocate(12));
        _pageSizeLog2 = pageSizeLog2;
        _caches = WalkCaches<HostTable>.ForGuestPhysical(machine, counts);
        _nestedTlb = machine.WalkCaches.TryGetValue("nestedTlb", out Shape? shape) ? new SetAssociative<ulong>(shape) : null;
        _counts = counts;
    }

    private int LeafLevel => Paging.LeafLevel(_pageSizeLog2);

    public bool TryTranslate(ulong gpa, WalkReads reads, out ulong hpa)
    {
        if (_nestedTlb is not null && _nestedTlb.TryFind(TlbKey(gpa), out ulong page))
        {
            _counts[Counter.NestedTlbHits]++;
            hpa = page + Paging.OffsetIn(gpa, _pageSizeLog2);
            return true;
        }

        HostTable table = _caches.TryFindDeepest(gpa, GuestTag, out HostTable cached) ? cached : _root;
        while (table.Level > LeafLevel)
        {
            reads.SecondStage(Paging.EntryAddress(table.Address, gpa, table.Level));
            if (!table.Links.TryGetValue(Paging.IndexOf(gpa, table.Level), out HostTable? next))
            {
                hpa = 0;
                return false;
            }

            _caches.Fill(table.Level, gpa, GuestTag, next);
            table = next;
        }

        reads.SecondStage(Paging.EntryAddress(table.Address, gpa, table.Level));
        if (!table.Pages.TryGetValue(Paging.IndexOf(gpa, table.Level), out page))
        {
            hpa = 0;
            return false;
        }

        _nestedTlb?.Fill(TlbKey(gpa), page);
        hpa = page + Paging.OffsetIn(gpa, _pageSizeLog2);
        return true;
    }

    /// <summary>The VMM handles a violation: missing tables from the top down, then the page.</summary>
    public void HandleViolation(ulong gpa)
    {
        _caches.Drop(gpa, GuestTag);
        _nestedTlb?.Drop(TlbKey(gpa));

        HostTable table = _root;
        while (table.Level > LeafLevel)
        {
            int index = Paging.IndexOf(gpa, table.Level);
            if (!table.Links.TryGetValue(index, out HostTable? next))
            {
                next = new HostTable(table.Level - 1, _frames.Allocate(12));
                table.Links.Add(index, next);
            }

            table = next;
        }

        table.Pages.Add(Paging.IndexOf(gpa, table.Level), _frames.Allocate(_pageSizeLog2));
    }

    private EntryKey TlbKey(ulong gpa) => new(gpa >> _pageSizeLog2, _pageSizeLog2, GuestTag);
}
