using MemVirt.Core.Memory;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Explain;

namespace MemVirt.Simulation.Engine;

/// <summary>Counts the table reads of the walk in progress, and sums them up by how the walk ends.</summary>
internal sealed class WalkMeter(DataCaches? caches)
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
    internal List<WalkRead>? Recording { get; set; }

    internal void Count(TableKind kind, ulong hostAddress)
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

        caches?.AccessByWalk(hostAddress);
    }

    internal void Completed()
    {
        Walks++;
        Guest += _guest;
        SecondStage += _secondStage;
        Shadow += _shadow;
        _guest = _secondStage = _shadow = 0;
    }

    internal void Faulted()
    {
        FaultedWalks++;
        FaultedReferences += _guest + _secondStage + _shadow;
        _guest = _secondStage = _shadow = 0;
    }

    internal void Reset() => Walks = Guest = SecondStage = Shadow = FaultedWalks = FaultedReferences = 0;
}

/// <summary>Reads entries of host memory and meters each read.</summary>
internal readonly struct MeteredReader(SparseMemory memory, WalkMeter meter) : ITableReader
{
    public ulong Read(ulong hostAddress, TableKind kind, int level)
    {
        meter.Count(kind, hostAddress);
        ulong entry = memory.Read(hostAddress);
        meter.Recording?.Add(new WalkRead(kind, level, hostAddress, entry));
        return entry;
    }

    // The accessed and dirty bits that hardware sets are no references of their own in this model.
    public bool TryReplace(ulong hostAddress, ulong expected, ulong replacement)
        => memory.TryReplace(hostAddress, expected, replacement);
}
