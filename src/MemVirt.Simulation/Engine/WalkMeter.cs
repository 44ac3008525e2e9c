using MemVirt.Core.Memory;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Explain;

namespace MemVirt.Simulation.Engine;

/// <summary>Counts the table reads of the walk in progress, and sums them up by how the walk ends.</summary>
/// <param name="caches">The data caches that reads go through, or null.</param>
/// <param name="readCycles">Cycles of a read where there are none.</param>
/// <param name="grid">Where reads are counted cell by cell; null for nowhere.</param>
internal sealed class WalkMeter(DataCaches? caches, double readCycles, WalkGrid? grid)
{
    private long _guest;
    private long _secondStage;
    private long _shadow;

    internal long Walks { get; private set; }

    internal long Guest { get; private set; }

    internal long SecondStage { get; private set; }

    internal long Shadow { get; private set; }

    internal long FaultedWalks { get; private set; }

    internal long FaultedReferences { get; private set; }

    /// <summary>Where reads are written down for <c>memvirt walk</c>; null while simulating.</summary>
    internal WalkRecorder? Recording { get; set; }

    /// <summary>The reads of completed walks cell by cell, where they are counted so.</summary>
    internal WalkGrid? Grid => grid;

    /// <summary>Counts a read; returns the level of the data caches that served it, −1 where there are none.</summary>
    internal int Count(TableKind kind, int level, ulong hostAddress)
    {
        switch (kind)
        {
            case TableKind.Guest:
                _guest++;
                break;
            case TableKind.SecondStage:
                _secondStage++;
                break;
            default:
                _shadow++;
                break;
        }

        int servedBy = caches?.AccessByWalk(hostAddress) ?? -1;
        grid?.Read(kind, level, caches?.LatencyAt(servedBy) ?? readCycles);
        return servedBy;
    }

    internal void Completed()
    {
        Walks++;
        Guest += _guest;
        SecondStage += _secondStage;
        Shadow += _shadow;
        _guest = _secondStage = _shadow = 0;
        grid?.Completed();
    }

    internal void Faulted()
    {
        FaultedWalks++;
        FaultedReferences += _guest + _secondStage + _shadow;
        _guest = _secondStage = _shadow = 0;
        grid?.Faulted();
    }

    internal void Reset()
    {
        Walks = Guest = SecondStage = Shadow = FaultedWalks = FaultedReferences = 0;
        grid?.Reset();
    }
}

/// <summary>Reads entries of host memory and meters each read.</summary>
internal readonly struct MeteredReader(SparseMemory memory, WalkMeter meter) : ITableReader
{
    public ulong Read(ulong hostAddress, TableKind kind, int level)
    {
        int servedBy = meter.Count(kind, level, hostAddress);
        ulong entry = memory.Read(hostAddress);
        meter.Recording?.Read(kind, level, hostAddress, entry, servedBy);
        return entry;
    }

    // The accessed and dirty bits that hardware sets are no references of their own in this model.
    public bool TryReplace(ulong hostAddress, ulong expected, ulong replacement)
        => memory.TryReplace(hostAddress, expected, replacement);
}
