using MemVirt.Core.Sources;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Engine;
using MemVirt.Simulation.Machines;

namespace MemVirt.Simulation.Explain;

/// <summary>
/// Lays a walk as it is made over the walk without caches: what is read where, and which cache's hit stands for what is left out. Which
/// cache served is told by whose hit count has grown since the last read.
/// </summary>
internal sealed class WalkRecorder
{
    private static readonly WalkServer[] ServerOf =
    [
        WalkServer.Walker, WalkServer.Pml4eCache, WalkServer.PdpteCache, WalkServer.PdeCache, WalkServer.NestedTlb,
        WalkServer.NestedPml4eCache, WalkServer.NestedPdpteCache, WalkServer.NestedPdeCache,
    ];

    private readonly RegimeHardware _hardware;
    private readonly CacheHits _hits;
    private readonly double _readCycles;
    private readonly double _cacheCycles;
    private readonly List<WalkReference> _references;
    private readonly List<WalkCacheHit> _cacheHits = [];
    private int _next;

    /// <summary>Writes down the walk that is about to be made.</summary>
    /// <param name="hardware">The caches it goes through, as they stand.</param>
    /// <param name="machine">Their prices.</param>
    /// <param name="bare">The walk without caches.</param>
    internal WalkRecorder(RegimeHardware hardware, MachineDescription machine, List<WalkReference> bare)
    {
        _hardware = hardware;
        _hits = new CacheHits(hardware.WalkCaches, hardware.NestedTlb, hardware.NestedCaches);
        _readCycles = machine.WalkReferenceCycles;
        _cacheCycles = machine.WalkCaches?.Latency ?? 0;
        _references = bare;
        _ = Grown();
    }

    /// <summary>A read of the walk, served by a level of the data caches, or by −1 where there are none.</summary>
    internal void Read(TableKind kind, int level, ulong hostAddress, ulong entry, int servedBy)
    {
        WalkServer server = servedBy < 0 ? WalkServer.Walker : WalkServer.L1d + servedBy;
        double cycles = servedBy < 0 ? _readCycles : _hardware.DataCaches!.LatencyAt(servedBy);
        List<SkippedBy> grown = Grown();

        // The same second-stage entries are read for the sake of every level of the guest: the guest's cache decides which is next.
        int start = FirstNotSpared(grown);
        int found = _references.FindIndex(start, reference =>
            reference.Kind == kind && reference.Level == level && reference.HostAddress == hostAddress);
        if (found < 0)
        {
            // A walk that begins again from the root because flags have to be set: what it reads once more is one more reference.
            found = start;
            _references.Insert(found, new WalkReference(kind, level, level, hostAddress, null, entry, 0, server, cycles));
        }

        SkipTo(found, grown);
        _references[found] = _references[found] with { Server = server, Cycles = cycles };
        _next = found + 1;
    }

    /// <summary>The walk has ended.</summary>
    internal WalkExplanation Ended(ulong address, Translation outcome, Core.Memory.SparseMemory host)
    {
        SkipTo(_references.Count, Grown());
        for (int i = 0; i < _references.Count; i++)
        {
            WalkReference reference = _references[i];
            ulong set = reference.IsSkipped ? 0 : host.Read(reference.HostAddress) & ~reference.Entry;
            _references[i] = reference with { FlagsSet = set };
        }

        return new WalkExplanation(_references, _cacheHits, address, outcome);
    }

    /// <summary>Gives what lies before a read to the caches that have hit since the last one.</summary>
    private void SkipTo(int found, List<SkippedBy> grown)
    {
        SkippedBy guest = grown.Find(cache => cache <= SkippedBy.Pde);
        SkippedBy stage = grown.FindLast(cache => cache > SkippedBy.Pde);
        var skips = new int[(int)SkippedBy.Count];
        for (int i = _next; i < found; i++)
        {
            SkippedBy by = guest != SkippedBy.None && IsSparedBy(guest, _references[i]) ? guest : stage;
            skips[(int)by]++;
            _references[i] = _references[i] with { Server = ServerOf[(int)by] };
        }

        foreach (SkippedBy cache in grown)
        {
            int place = Math.Min(found, _references.Count - 1);
            int guestLevel = cache <= SkippedBy.Pde ? 2 - (cache - SkippedBy.Pml4e)
                : found == _next || found == 0 ? _references[place].GuestLevel : _references[found - 1].GuestLevel;
            _cacheHits.Add(new WalkCacheHit(ServerOf[(int)cache], guestLevel, _cacheCycles, skips[(int)cache]));
        }
    }

    /// <summary>
    /// A cached table's address makes everything above it needless; a host-physical one the table's own translation, too.
    /// </summary>
    private bool IsSparedBy(SkippedBy guest, WalkReference reference)
    {
        int table = 2 - (guest - SkippedBy.Pml4e);
        return reference.GuestLevel > table
            || (reference.GuestLevel == table && reference.Kind == TableKind.SecondStage
                && _hardware.WalkCaches!.Holds == CachedTable.HostPhysical);
    }

    /// <summary>The first reference ahead that no hit of a cache of the guest makes needless.</summary>
    private int FirstNotSpared(List<SkippedBy> grown)
    {
        SkippedBy guest = grown.Find(cache => cache <= SkippedBy.Pde);
        int first = _next;
        while (guest != SkippedBy.None && first < _references.Count && IsSparedBy(guest, _references[first]))
        {
            first++;
        }

        return first;
    }

    /// <summary>The caches that have hit since last asked, in the order in which a walk asks them.</summary>
    private List<SkippedBy> Grown()
    {
        var grown = new List<SkippedBy>();
        for (SkippedBy cache = SkippedBy.Pml4e; cache <= SkippedBy.NestedPde; cache++)
        {
            if (_hits.HasHit(cache))
            {
                grown.Add(cache);
            }
        }

        return grown;
    }
}
