namespace MemVirt.Simulation.Traces;

/// <summary>What a stream of references consists of. Memory grows with the pages touched only.</summary>
public sealed class TraceStatistics
{
    private readonly PageSet _pages = new();
    private ulong _lastFetchPage = ulong.MaxValue;
    private ulong _lastDataPage = ulong.MaxValue;
    private ulong _dataPageBefore = ulong.MaxValue;

    /// <summary>References in all.</summary>
    public long References { get; private set; }

    /// <summary>Instruction fetches.</summary>
    public long InstructionFetches { get; private set; }

    /// <summary>Loads.</summary>
    public long Loads => References - InstructionFetches - Stores;

    /// <summary>Stores.</summary>
    public long Stores { get; private set; }

    /// <summary>References whose first and last byte lie in different 4 KiB pages.</summary>
    public long Crossings { get; private set; }

    /// <summary>4 KiB pages touched; both pages of a crossing count.</summary>
    public long DistinctPages4k => _pages.Count;

    /// <summary>Adds references.</summary>
    public void Add(ReadOnlySpan<MemoryReference> references)
    {
        long fetches = 0;
        long stores = 0;
        foreach (MemoryReference reference in references)
        {
            ulong page = reference.LinearAddress48 >> 12;
            if (reference.Kind == ReferenceKind.Fetch)
            {
                fetches++;
                if (page != _lastFetchPage)
                {
                    _lastFetchPage = page;
                    _pages.Add(page);
                }
            }
            else
            {
                stores += reference.Kind == ReferenceKind.Store ? 1 : 0;
                if (page != _lastDataPage && page != _dataPageBefore)
                {
                    _pages.Add(page);
                }

                if (page != _lastDataPage)
                {
                    (_dataPageBefore, _lastDataPage) = (_lastDataPage, page);
                }
            }

            if (reference.CrossesPage)
            {
                Crossings++;
                _pages.Add((reference.LinearAddress48 + (ulong)reference.SizeBytes - 1) >> 12);
            }
        }

        References += references.Length;
        InstructionFetches += fetches;
        Stores += stores;
    }
}
