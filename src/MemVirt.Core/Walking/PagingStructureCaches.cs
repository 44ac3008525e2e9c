using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Tlb;

namespace MemVirt.Core.Walking;

/// <summary>What an entry of a paging-structure cache says of the next table.</summary>
public enum CachedTable
{
    /// <summary>Its host-physical address: a hit skips both dimensions above (Intel).</summary>
    HostPhysical,

    /// <summary>Its guest-physical address: a hit skips the guest's dimension only (AMD).</summary>
    GuestPhysical,
}

/// <summary>
/// PML5E, PML4E, PDPTE and PDE caches (Intel SDM Vol. 3A §4.10.3): where the table below an entry lies, and the rights granted down to
/// it, by the address bits that select the entry and by context. Leaf entries are never in them. No call allocates.
/// </summary>
public sealed class PagingStructureCaches
{
    private const int DeepestLevel = 1;
    private const int HighestLevel = 4;
    private const ulong WritableBit = 1UL << 6;
    private readonly TagArray? _pde;
    private readonly TagArray?[] _byLevel = new TagArray?[HighestLevel + 1];
    private readonly long[] _hits = new long[HighestLevel + 1];

    /// <summary>Caches, each of which may be absent.</summary>
    public PagingStructureCaches(CachedTable holds, TagArray? pml4e, TagArray? pdpte, TagArray? pde, TagArray? pml5e = null)
    {
        Holds = holds;
        _pde = pde;
        (_byLevel[4], _byLevel[3], _byLevel[2], _byLevel[1]) = (pml5e, pml4e, pdpte, pde);
    }

    /// <summary>What entries hold.</summary>
    public CachedTable Holds { get; }

    /// <summary>Hits so far of the cache whose entries are of a level: 4 for PML5Es, 3 for PML4Es, 2 for PDPTEs, 1 for PDEs.</summary>
    public long HitsAt(int level) => _hits[level];

    /// <summary>Sets the hit counts to 0; contents stay.</summary>
    public void ResetHits() => Array.Clear(_hits);

    /// <summary>
    /// Probes deepest first. Returns the level of the table found (0 to 3), its address in <paramref name="table"/>, the rights
    /// down to it and whether its flags may be written, or −1. Only the winner becomes recent.
    /// </summary>
    public int Probe(ulong address, uint context, out ulong table, out AccessRights rights, out bool isWritable)
    {
        for (int level = DeepestLevel; level <= HighestLevel; level++)
        {
            if (_byLevel[level] is { Count: > 0 } cache)
            {
                ulong number = NumberOf(address, level);
                int index = cache.Find(TlbTag.Create(number, PageSize.Size4K, context), number);
                if (index >= 0)
                {
                    _hits[level]++;
                    (table, rights, isWritable) = Unpack(cache.Payload(index));
                    return level - 1;
                }
            }
        }

        table = 0;
        rights = AccessRights.None;
        isWritable = false;
        return -1;
    }

    /// <summary>
    /// Probes the PDE cache alone: true with the host-physical address of the page table, the rights down to it and whether its flags
    /// may be written. False changes nothing.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // nearly every walk with caches: bench WalkBenchmarks
    internal bool TryFindPageTable(ulong address, uint context, out ulong table, out AccessRights rights, out bool isWritable)
    {
        if (_pde is { } cache && Holds == CachedTable.HostPhysical)
        {
            ulong number = NumberOf(address, DeepestLevel);
            int index = cache.Find(TlbTag.Create(number, PageSize.Size4K, context), number);
            if (index >= 0)
            {
                _hits[DeepestLevel]++;
                (table, rights, isWritable) = Unpack(cache.Payload(index));
                return true;
            }
        }

        (table, rights, isWritable) = (0, AccessRights.None, false);
        return false;
    }

    /// <summary>Enters the table to which the entry of a level refers, with the rights down to it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Fill(int entryLevel, ulong address, uint context, ulong table, AccessRights rights, bool isWritable)
    {
        if (_byLevel[entryLevel] is { } cache)
        {
            ulong number = NumberOf(address, entryLevel);
            cache.Insert(TlbTag.Create(number, PageSize.Size4K, context), number, table | (ulong)rights | (isWritable ? WritableBit : 0));
        }
    }

    /// <summary>Drops the entries of an address in a context.</summary>
    public void Drop(ulong address, uint context)
    {
        for (int level = DeepestLevel; level <= HighestLevel; level++)
        {
            if (_byLevel[level] is { Count: > 0 } cache)
            {
                ulong number = NumberOf(address, level);
                cache.Remove(TlbTag.Create(number, PageSize.Size4K, context), number);
            }
        }
    }

    /// <summary>Drops the entries of an address in every context.</summary>
    public void DropOfAnyContext(ulong address)
    {
        for (int level = DeepestLevel; level <= HighestLevel; level++)
        {
            ulong number = NumberOf(address, level);
            _byLevel[level]?.RemoveFromSet(number, ~TlbTag.ContextMask, TlbTag.Create(number, PageSize.Size4K, 0));
        }
    }

    /// <summary>Drops every entry of a context.</summary>
    public void DropContext(uint context)
    {
        for (int level = DeepestLevel; level <= HighestLevel; level++)
        {
            _byLevel[level]?.RemoveWhere(TlbTag.ContextMask, TlbTag.ContextBits(context));
        }
    }

    /// <summary>Drops every entry.</summary>
    public void Clear()
    {
        for (int level = DeepestLevel; level <= HighestLevel; level++)
        {
            _byLevel[level]?.Clear();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (ulong Table, AccessRights Rights, bool IsWritable) Unpack(ulong payload)
        => (payload & AddressBits.Frame, (AccessRights)(payload & (ulong)AccessRights.Unrestricted), (payload & WritableBit) != 0);

    private static ulong NumberOf(ulong address, int level) => (address & AddressBits.Mask57) >> TableGeometry.ShiftOf(level);
}
