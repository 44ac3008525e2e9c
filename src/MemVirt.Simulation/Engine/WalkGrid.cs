using MemVirt.Core.Stages;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Results;

namespace MemVirt.Simulation.Engine;

/// <summary>
/// Where in the grid of a walk reads are made and skipped: a column for each of the guest's levels and one for the final address, a row
/// for each level of the second stage and one for the guest's entry. A column's second-stage reads come before its guest's entry;
/// which cache served is told by whose hit count has grown since.
/// </summary>
/// <param name="isNested">Whether there is a second stage.</param>
/// <param name="caches">The guest's paging-structure caches, or null.</param>
/// <param name="nestedTlb">The nested TLB, or null.</param>
/// <param name="nestedCaches">The second stage's paging-structure caches, or null.</param>
/// <param name="hostLeafLevel">The level of the second stage's leaves.</param>
internal sealed class WalkGrid(
    bool isNested, PagingStructureCaches? caches, NestedTlb? nestedTlb, PagingStructureCaches? nestedCaches, int hostLeafLevel)
{
    private const int Levels = 4;
    private const int Page = Levels;
    private const int Entry = Levels;
    private const int Side = Levels + 1;
    private static readonly string[] Names = ["PML4E", "PDPTE", "PDE", "PTE", "page"];
    private readonly CacheHits _hits = new(caches, nestedTlb, nestedCaches);
    private readonly long[] _walkReads = new long[Side * Side];
    private readonly double[] _walkCycles = new double[Side * Side];
    private readonly SkippedBy[] _columnServedBy = new SkippedBy[Side];
    private readonly long[] _reads = new long[Side * Side];
    private readonly double[] _cycles = new double[Side * Side];
    private readonly long[] _skips = new long[Side * Side * (int)SkippedBy.Count];
    private readonly long[] _pendingReads = new long[Levels];
    private readonly double[] _pendingCycles = new double[Levels];

    /// <summary>A read of the walk in progress.</summary>
    internal void Read(TableKind kind, int level, double cycles)
    {
        int place = Levels - 1 - level;
        if (kind == TableKind.SecondStage)
        {
            _pendingReads[place]++;
            _pendingCycles[place] += cycles;
            return;
        }

        CloseColumn(place);
        _walkReads[At(place, Entry)]++;
        _walkCycles[At(place, Entry)] += cycles;
    }

    /// <summary>The walk in progress has completed: its cells count.</summary>
    internal void Completed()
    {
        CloseColumn(Page);
        SkippedBy start = _hits.GuestCacheSinceLastWalk();
        int first = 0;
        while (first < Page && _walkReads[At(first, Entry)] == 0)
        {
            first++;
        }

        for (int column = 0; column < Side; column++)
        {
            for (int row = isNested ? 0 : Entry; row < Side; row++)
            {
                int cell = At(column, row);
                _reads[cell] += _walkReads[cell];
                _cycles[cell] += _walkCycles[cell];
                if (_walkReads[cell] == 0 && WhySkipped(column, row, first, start) is var why && why != SkippedBy.None)
                {
                    _skips[(cell * (int)SkippedBy.Count) + (int)why]++;
                }
            }
        }

        Clear();
    }

    /// <summary>The walk in progress has faulted: its cells do not count.</summary>
    internal void Faulted()
    {
        CloseColumn(Page);
        _ = _hits.GuestCacheSinceLastWalk();
        Clear();
    }

    /// <summary>Counts to 0; the hit counts have been set to 0 too.</summary>
    internal void Reset()
    {
        _hits.Reset();
        Array.Clear(_reads);
        Array.Clear(_cycles);
        Array.Clear(_skips);
        Clear();
    }

    /// <summary>The cells in the order of the walk.</summary>
    internal IReadOnlyList<WalkCell> Cells()
    {
        var cells = new List<WalkCell>();
        for (int column = 0; column < (isNested ? Side : Levels); column++)
        {
            for (int row = isNested ? 0 : Entry; row < (column == Page ? Levels : Side); row++)
            {
                int cell = At(column, row);
                double mean = _reads[cell] == 0 ? 0 : _cycles[cell] / _reads[cell];
                ReadOnlySpan<long> skips = _skips.AsSpan(cell * (int)SkippedBy.Count, (int)SkippedBy.Count);
                cells.Add(new WalkCell(Names[column], row == Entry ? null : Names[row], _reads[cell], mean, CacheHits.Named(skips)));
            }
        }

        return cells;
    }

    private static int At(int column, int row) => (column * Side) + row;

    private void CloseColumn(int column)
    {
        for (int row = 0; row < Levels; row++)
        {
            _walkReads[At(column, row)] += _pendingReads[row];
            _walkCycles[At(column, row)] += _pendingCycles[row];
        }

        Array.Clear(_pendingReads);
        Array.Clear(_pendingCycles);
        SkippedBy served = _hits.SecondStageSinceLastColumn();
        _columnServedBy[column] = served == SkippedBy.None ? _columnServedBy[column] : served;
    }

    private SkippedBy WhySkipped(int column, int row, int first, SkippedBy start)
    {
        bool isAbove = column < first;
        bool isEntryOfCache = column == first && row != Entry && caches is { Holds: CachedTable.HostPhysical };
        if (isAbove || (isEntryOfCache && _columnServedBy[column] == SkippedBy.None))
        {
            // What a cached table's address makes needless: everything above, and of a host address its translation too.
            return row <= Levels - 1 - hostLeafLevel || row == Entry ? start : SkippedBy.None;
        }

        if (row == Entry || row > Levels - 1 - hostLeafLevel)
        {
            return SkippedBy.None;
        }

        SkippedBy served = _columnServedBy[column];
        return served switch
        {
            SkippedBy.NestedTlb => served,
            SkippedBy.NestedPml4e or SkippedBy.NestedPdpte or SkippedBy.NestedPde => row <= served - SkippedBy.NestedPml4e ? served : SkippedBy.None,
            _ => SkippedBy.None,
        };
    }

    private void Clear()
    {
        Array.Clear(_walkReads);
        Array.Clear(_walkCycles);
        Array.Clear(_columnServedBy);
    }
}
