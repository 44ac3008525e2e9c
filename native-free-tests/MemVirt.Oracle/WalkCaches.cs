namespace MemVirt.Oracle;

/// <summary>
/// The paging-structure caches of one dimension: for each level of non-leaf entry (PML4E, PDPTE, PDE) where the next
/// table lies. Each may be missing.
/// </summary>
internal sealed class WalkCaches<TNext>
{
    private static readonly Counter[] GuestHits = [Counter.PdeHits, Counter.PdpteHits, Counter.Pml4eHits];
    private static readonly Counter[] NestedHits = [Counter.NestedPdeHits, Counter.NestedPdpteHits, Counter.NestedPml4eHits];

    private readonly SetAssociative<TNext>?[] _byLevel = new SetAssociative<TNext>?[Paging.RootLevel + 1];
    private readonly Counter[] _hits;
    private readonly Counts _counts;

    private WalkCaches(MachineDescription machine, string[] names, Counter[] hits, Counts counts)
    {
        for (int i = 0; i < names.Length; i++)
        {
            if (machine.WalkCaches.TryGetValue(names[i], out Shape? shape))
            {
                _byLevel[i + 2] = new SetAssociative<TNext>(shape);
            }
        }

        _hits = hits;
        _counts = counts;
    }

    /// <summary>pde, pdpte and pml4e, keyed by guest-virtual address.</summary>
    public static WalkCaches<TNext> ForVirtual(MachineDescription machine, Counts counts) =>
        new(machine, ["pde", "pdpte", "pml4e"], GuestHits, counts);

    /// <summary>nestedPde, nestedPdpte and nestedPml4e, keyed by guest-physical address.</summary>
    public static WalkCaches<TNext> ForGuestPhysical(MachineDescription machine, Counts counts) =>
        new(machine, ["nestedPde", "nestedPdpte", "nestedPml4e"], NestedHits, counts);

    /// <summary>Probes the deepest first; only the winner is counted and becomes recent.</summary>
    public bool TryFindDeepest(ulong address, Tag tag, out TNext next)
    {
        for (int level = 2; level <= Paging.RootLevel; level++)
        {
            if (_byLevel[level] is SetAssociative<TNext> cache && cache.TryFind(KeyOf(address, level, tag), out next))
            {
                _counts[_hits[level - 2]]++;
                return true;
            }
        }

        next = default!;
        return false;
    }

    /// <summary>Remembers what the non-leaf entry read in a table of this level leads to.</summary>
    public void Fill(int level, ulong address, Tag tag, TNext next) => _byLevel[level]?.Fill(KeyOf(address, level, tag), next);

    public void Drop(ulong address, Tag tag)
    {
        for (int level = 2; level <= Paging.RootLevel; level++)
        {
            _byLevel[level]?.Drop(KeyOf(address, level, tag));
        }
    }

    public void Flush()
    {
        foreach (SetAssociative<TNext>? cache in _byLevel)
        {
            cache?.Flush();
        }
    }

    private static EntryKey KeyOf(ulong address, int level, Tag tag)
    {
        int shift = Paging.ShiftOf(level);
        return new EntryKey((address & Paging.AddressMask) >> shift, shift, tag);
    }
}
