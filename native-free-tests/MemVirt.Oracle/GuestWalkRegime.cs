namespace MemVirt.Oracle;

/// <summary>Native, EPT and NPT: hardware walks the guest's tables, each of their addresses through the second stage.</summary>
internal sealed class GuestWalkRegime : IRegime
{
    private readonly GuestSystem _guest;
    private readonly ISecondStage _secondStage;
    private readonly NestedStage? _nested;
    private readonly int _pageSizeLog2;
    private readonly bool _holdsHostPhysical;
    private readonly WalkCaches<NextTable> _caches;
    private readonly Tlbs _tlbs;
    private readonly Counts _counts;

    /// <param name="nested">Null in native.</param>
    /// <param name="pageSizeLog2">The smaller of the guest's and, unless native, the host's.</param>
    public GuestWalkRegime(
        GuestSystem guest, NestedStage? nested, int pageSizeLog2, MachineDescription machine, Tlbs tlbs, Counts counts)
    {
        _guest = guest;
        _nested = nested;
        _secondStage = nested is null ? new IdentityStage() : nested;
        _pageSizeLog2 = pageSizeLog2;
        _holdsHostPhysical = machine.HoldsHostPhysical;
        _caches = WalkCaches<NextTable>.ForVirtual(machine, counts);
        _tlbs = tlbs;
        _counts = counts;
    }

    public int GuestId => _nested is null ? 0 : 1;

    public IReadOnlyList<(string Kind, Counter Counter)> Exits =>
        _nested is null ? [] : [("secondStageFaults", Counter.SecondStageFaults)];

    /// <summary>Bit 63 is set: nothing is flushed.</summary>
    public void LoadCr3(Process process)
    {
    }

    public WalkResult Walk(Process process, ulong va, bool store, WalkReads reads)
    {
        Tag tag = new(process.Pcid, GuestId);
        if (!_caches.TryFindDeepest(va, tag, out NextTable start))
        {
            start = new NextTable(process.Root, HostAddress: null);
        }

        GuestTable table = start.Table;
        ulong tableHpa;
        if (start.HostAddress is ulong known)
        {
            tableHpa = known;
        }
        else if (!_secondStage.TryTranslate(table.Address, reads, out tableHpa))
        {
            return Violation(table.Address, isTheAccess: false);
        }

        while (true)
        {
            reads.Guest(Paging.EntryAddress(tableHpa, va, table.Level));
            if (!table.Entries.TryGetValue(Paging.IndexOf(va, table.Level), out GuestEntry? entry))
            {
                return new WalkResult(WalkEnd.EntryAbsent);
            }

            if (entry.Next is not GuestTable next)
            {
                return TranslateFinal(va, store, entry, reads);
            }

            // AMD holds guest-physical addresses: the entry is all that is needed.
            if (!_holdsHostPhysical)
            {
                _caches.Fill(table.Level, va, tag, new NextTable(next, HostAddress: null));
            }

            if (!_secondStage.TryTranslate(next.Address, reads, out tableHpa))
            {
                return Violation(next.Address, isTheAccess: false);
            }

            // Intel holds host-physical addresses: now the next table's is known.
            if (_holdsHostPhysical)
            {
                _caches.Fill(table.Level, va, tag, new NextTable(next, tableHpa));
            }

            table = next;
        }
    }

    public void HandleFault(Process process, ulong va, bool store, WalkResult fault)
    {
        Tag tag = new(process.Pcid, GuestId);
        if (fault.End == WalkEnd.EntryAbsent)
        {
            _counts[Counter.GuestPageFaults]++;
            DropTranslations(va, tag);
            _guest.HandlePageFault(process, va, store, written: _ => { });
            return;
        }

        _counts[Counter.SecondStageFaults]++;
        if (fault.GpaIsTheAccess)
        {
            DropTranslations(va, tag);
        }

        _nested!.HandleViolation(fault.Gpa);
    }

    private WalkResult TranslateFinal(ulong va, bool store, GuestEntry leaf, WalkReads reads)
    {
        ulong gpa = leaf.Page + Paging.OffsetIn(va, _guest.PageSizeLog2);
        if (!_secondStage.TryTranslate(gpa, reads, out ulong hpa))
        {
            return Violation(gpa, isTheAccess: true);
        }

        leaf.Dirty |= store;
        ulong hostPage = Paging.PageBase(hpa, _pageSizeLog2);
        return new WalkResult(WalkEnd.Completed) { Entry = new TlbEntry(_pageSizeLog2, hostPage, leaf.Dirty) };
    }

    private static WalkResult Violation(ulong gpa, bool isTheAccess) =>
        new(WalkEnd.Violation) { Gpa = gpa, GpaIsTheAccess = isTheAccess };

    private void DropTranslations(ulong va, Tag tag)
    {
        _tlbs.Drop(va, tag);
        _caches.Drop(va, tag);
    }

    /// <summary>What a walk cache holds; the host address only where the machine holds host-physical addresses.</summary>
    private readonly record struct NextTable(GuestTable Table, ulong? HostAddress);
}
