using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Tlb;

namespace MemVirt.Core.Stages;

/// <summary>A cache of second-stage translations, guest-physical pages of one size to host-physical ones, tagged with EPTP or ASID only.</summary>
public sealed class NestedTlb(TagArray entries, PageSize pageSize)
{
    private const int LevelShift = 7;
    private const int AttributesShift = 52;
    private const ulong DirtyBit = 1UL << 6;

    /// <summary>Hits so far.</summary>
    public long Hits { get; private set; }

    /// <summary>Sets the hit count to 0; contents stay.</summary>
    public void ResetHits() => Hits = 0;

    /// <summary>Looks a guest-physical address up.</summary>
    public bool TryFind(ulong gpa, uint context, out ulong hpa, out int leafLevel, out AccessRights rights, out bool dirty, out int attributes)
    {
        ulong number = gpa >> pageSize.SizeLog2();
        int index = entries.Find(TlbTag.Create(number, PageSize.Size4K, context), number);
        if (index < 0)
        {
            (hpa, leafLevel, rights, dirty, attributes) = (0, 0, AccessRights.None, false, 0);
            return false;
        }

        Hits++;
        ulong payload = entries.Payload(index);
        hpa = (payload & AddressBits.Frame) | (gpa & (pageSize.SizeBytes() - 1));
        leafLevel = (int)(payload >> LevelShift) & 3;
        dirty = (payload & DirtyBit) != 0;
        attributes = (int)(payload >> AttributesShift) & 15;
        rights = (AccessRights)(payload & (ulong)AccessRights.Unrestricted);
        return true;
    }

    /// <summary>Enters a translation; one of a page smaller than the entries' has no place here and is left out.</summary>
    public void Fill(ulong gpa, uint context, ulong hpa, int leafLevel, AccessRights rights, bool dirty, int attributes = 0)
    {
        if (PageSizeExtensions.AtLevel(leafLevel) < pageSize)
        {
            return;
        }

        ulong number = gpa >> pageSize.SizeLog2();
        ulong page = hpa & ~(pageSize.SizeBytes() - 1);
        entries.Insert(
            TlbTag.Create(number, PageSize.Size4K, context),
            number,
            page | (ulong)rights | (dirty ? DirtyBit : 0) | ((ulong)leafLevel << LevelShift)
            | ((ulong)attributes << AttributesShift));
    }

    /// <summary>Drops the entry of a guest-physical address.</summary>
    public void Drop(ulong gpa, uint context)
    {
        ulong number = gpa >> pageSize.SizeLog2();
        entries.Remove(TlbTag.Create(number, PageSize.Size4K, context), number);
    }

    /// <summary>Drops every entry.</summary>
    public void Clear() => entries.Clear();
}
