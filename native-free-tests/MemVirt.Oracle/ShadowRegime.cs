namespace MemVirt.Oracle;

/// <summary>Shadow paging after KVM's: hardware walks shadow tables; faults and writes to shadowed tables exit.</summary>
internal sealed class ShadowRegime : IRegime
{
    // KVM keeps the current root and three before it.
    private const int KeptRoots = 4;

    // This guest writes a table at most once before the shadow fault that uses it, so with this system it is not reached.
    private const int WritesThatRemove = 3;

    private readonly GuestSystem _guest;
    private readonly ShadowMemory _memory;
    private readonly ShadowBuilder _builder;
    private readonly int _leafSizeLog2;
    private readonly WalkCaches<ShadowTable> _caches;
    private readonly Tlbs _tlbs;
    private readonly Counts _counts;
    private readonly List<Process> _recentlyLoaded = [];

    public ShadowRegime(GuestSystem guest, int hostPageSizeLog2, MachineDescription machine, Tlbs tlbs, Counts counts)
    {
        _guest = guest;
        _memory = new ShadowMemory(hostPageSizeLog2);
        _leafSizeLog2 = Math.Min(guest.PageSizeLog2, hostPageSizeLog2);
        _builder = new ShadowBuilder(_memory, guest.PageSizeLog2, _leafSizeLog2, Flush);
        _caches = WalkCaches<ShadowTable>.ForVirtual(machine, counts);
        _tlbs = tlbs;
        _counts = counts;
    }

    public int GuestId => 1;

    public IReadOnlyList<(string Kind, Counter Counter)> Exits =>
    [
        ("guestPageFaults", Counter.GuestPageFaults),
        ("shadowFaults", Counter.ShadowFaults),
        ("dirtyFaults", Counter.DirtyFaults),
        ("protectedTableWrites", Counter.ProtectedTableWrites),
        ("unsyncs", Counter.Unsyncs),
        ("contextSwitches", Counter.ContextSwitches),
    ];

    public void LoadCr3(Process process)
    {
        int age = _recentlyLoaded.IndexOf(process);
        if (age < 0 || age >= KeptRoots)
        {
            _memory.Synchronize(process.Root);
        }

        _recentlyLoaded.Remove(process);
        _recentlyLoaded.Insert(0, process);
        _memory.FindOrMakeShadow(process.Root);
    }

    public WalkResult Walk(Process process, ulong va, bool store, WalkReads reads)
    {
        Tag tag = new(process.Pcid, GuestId);
        if (!_caches.TryFindDeepest(va, tag, out ShadowTable table))
        {
            table = _memory.ShadowOf(process.Root)!;
        }

        while (true)
        {
            reads.Shadow(Paging.EntryAddress(table.Address, va, table.Level));
            if (!table.Entries.TryGetValue(Paging.IndexOf(va, table.Level), out ShadowEntry? entry))
            {
                return new WalkResult(WalkEnd.EntryAbsent);
            }

            if (entry.Next is not ShadowTable next)
            {
                return store && !entry.Writable
                    ? new WalkResult(WalkEnd.LeafReadOnly)
                    : new WalkResult(WalkEnd.Completed) { Entry = new TlbEntry(_leafSizeLog2, entry.Page, entry.Writable) };
            }

            _caches.Fill(table.Level, va, tag, next);
            table = next;
        }
    }

    public void HandleFault(Process process, ulong va, bool store, WalkResult fault)
    {
        Tag tag = new(process.Pcid, GuestId);
        _tlbs.Drop(va, tag);
        _caches.Drop(va, tag);

        if (!_builder.GuestMaps(process.Root, va))
        {
            _counts[Counter.GuestPageFaults]++;
            _guest.HandlePageFault(process, va, store, table => GuestWrites(table, process));
            return;
        }

        _counts[fault.End == WalkEnd.LeafReadOnly ? Counter.DirtyFaults : Counter.ShadowFaults]++;
        _builder.Build(process.Root, va, store);
    }

    /// <summary>The guest's system has written an entry of this table.</summary>
    private void GuestWrites(GuestTable table, Process current)
    {
        if (_memory.ShadowOf(table) is not ShadowTable shadow)
        {
            return;
        }

        if (table.Level == 1)
        {
            if (shadow.InSync)
            {
                shadow.InSync = false;
                _counts[Counter.Unsyncs]++;
            }

            return;
        }

        _counts[Counter.ProtectedTableWrites]++;
        shadow.Writes++;
        if (shadow.Writes == WritesThatRemove)
        {
            _counts[Counter.ShadowZaps]++;
            _memory.Remove(table);
            Flush();
            if (table == current.Root)
            {
                _memory.FindOrMakeShadow(table);
            }
        }
    }

    private void Flush()
    {
        _tlbs.Flush();
        _caches.Flush();
    }
}
