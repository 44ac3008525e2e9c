using MemVirt.Core.Addresses;

namespace MemVirt.Core.Tlb;

/// <summary>
/// A set-associative TLB of all three page sizes, tagged with page number, size and context. The size of an address's page is
/// not known beforehand, so each size that is in use is probed. No call allocates.
/// </summary>
public sealed class TaggedTlb
{
    private readonly TagArray _entries;
    private readonly int[] _inUse = new int[3];

    /// <summary>An empty TLB.</summary>
    /// <param name="entries">Entries in all; a multiple of the ways.</param>
    /// <param name="ways">Ways of a set.</param>
    public TaggedTlb(int entries, int ways) => _entries = new TagArray(new SetGeometry(entries, ways));

    /// <summary>Entries in use.</summary>
    public int Count => _entries.Count;

    /// <summary>Probes of a look-up that misses: one for each page size that is in use.</summary>
    public int ProbesOfMiss => (_inUse[0] != 0 ? 1 : 0) + (_inUse[1] != 0 ? 1 : 0) + (_inUse[2] != 0 ? 1 : 0);

    /// <summary>Looks bits 47:0 of a linear address up in a context; false leaves the TLB unchanged.</summary>
    public bool TryFind(ulong address, uint context, out ulong payload)
    {
        for (int level = 0; level < _inUse.Length; level++)
        {
            if (_inUse[level] != 0)
            {
                PageSize size = PageSizeExtensions.AtLevel(level);
                ulong number = address >> (int)size;
                int index = _entries.Find(TlbTag.Create(number, size, context), number);
                if (index >= 0)
                {
                    payload = _entries.Payload(index);
                    return true;
                }
            }
        }

        payload = 0;
        return false;
    }

    /// <summary>Enters a page of a size.</summary>
    public void Insert(ulong address, PageSize size, uint context, ulong payload)
    {
        ulong number = address >> (int)size;
        int before = _entries.Count;
        ulong evicted = _entries.Insert(TlbTag.Create(number, size, context), number, payload);
        if (evicted != TlbTag.Empty)
        {
            _inUse[TlbTag.SizeOf(evicted).LeafLevel()]--;
        }

        if (evicted != TlbTag.Empty || _entries.Count != before)
        {
            _inUse[size.LeafLevel()]++;
        }
    }

    /// <summary>Drops the pages of every size that hold an address.</summary>
    public void Drop(ulong address, uint context)
    {
        for (int level = 0; level < _inUse.Length; level++)
        {
            PageSize size = PageSizeExtensions.AtLevel(level);
            ulong number = address >> (int)size;
            if (_inUse[level] != 0 && _entries.Remove(TlbTag.Create(number, size, context), number))
            {
                _inUse[level]--;
            }
        }
    }

    /// <summary>Drops the pages of every size that hold an address, whichever contexts they belong to.</summary>
    public void DropOfAnyContext(ulong address)
    {
        for (int level = 0; level < _inUse.Length; level++)
        {
            PageSize size = PageSizeExtensions.AtLevel(level);
            ulong number = address >> (int)size;
            if (_inUse[level] != 0)
            {
                _inUse[level] -= _entries.RemoveFromSet(number, ~TlbTag.ContextMask, TlbTag.Create(number, size, 0));
            }
        }
    }

    /// <summary>Drops everything. Cost: one pass; a flush by context number is cheaper.</summary>
    public void Clear()
    {
        _entries.Clear();
        Array.Clear(_inUse);
    }
}
