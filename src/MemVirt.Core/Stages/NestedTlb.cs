using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Tlb;

namespace MemVirt.Core.Stages;

/// <summary>A cache of second-stage translations, guest-physical pages of one size to host-physical ones, tagged with EPTP or ASID only.</summary>
public sealed class NestedTlb(TagArray entries, PageSize pageSize)
{
    private readonly int _pageShift = pageSize.SizeLog2();
    private readonly ulong _offsetMask = pageSize.SizeBytes() - 1;

    /// <summary>Hits so far.</summary>
    public long Hits { get; private set; }

    /// <summary>Sets the hit count to 0; contents stay.</summary>
    public void ResetHits() => Hits = 0;

    /// <summary>Looks a guest-physical address up.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every step of a walk with caches: bench WalkBenchmarks
    public bool TryFind(ulong gpa, uint context, out NestedTlbEntry entry)
    {
        ulong number = gpa >> _pageShift;
        int index = entries.Find(TlbTag.Create(number, PageSize.Size4K, context), number);
        if (index < 0)
        {
            entry = default;
            return false;
        }

        Hits++;
        entry = new NestedTlbEntry(entries.Payload(index) | (gpa & _offsetMask & AddressBits.Frame));
        return true;
    }

    /// <summary>Enters a translation; one of a page smaller than the entries' has no place here and is left out.</summary>
    public void Fill(ulong gpa, uint context, ulong hpa, int leafLevel, AccessRights rights, bool dirty, int attributes = 0)
    {
        if (PageSizeExtensions.AtLevel(leafLevel) < pageSize)
        {
            return;
        }

        ulong number = gpa >> _pageShift;
        ulong payload = NestedTlbEntry.Pack(hpa & ~_offsetMask, leafLevel, rights, dirty, attributes);
        entries.Insert(TlbTag.Create(number, PageSize.Size4K, context), number, payload);
    }

    /// <summary>Drops the entry of a guest-physical address.</summary>
    public void Drop(ulong gpa, uint context)
    {
        ulong number = gpa >> _pageShift;
        entries.Remove(TlbTag.Create(number, PageSize.Size4K, context), number);
    }

    /// <summary>Drops every entry.</summary>
    public void Clear() => entries.Clear();
}
