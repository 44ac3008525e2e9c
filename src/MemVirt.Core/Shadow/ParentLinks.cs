using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace MemVirt.Core.Shadow;

/// <summary>An entry of a shadow table: the page it belongs to, and which of its 512; no entry where the page is −1.</summary>
internal readonly record struct ParentEntry(int Page, ushort Slot)
{
    internal static ParentEntry None => new(-1, ParentLinks.NoParent);
}

/// <summary>
/// The shadow entries that refer to a page. One, as nearly every page has, stands in the page itself; several are a chain here, of 12
/// bytes each.
/// </summary>
internal sealed class ParentLinks
{
    /// <summary>As the slot of a page's parent: no entry refers to it.</summary>
    internal const ushort NoParent = ushort.MaxValue;
    private const ushort Chained = ushort.MaxValue - 1;
    private const int None = -1;
    private Link[] _links = new Link[16];
    private int _used;
    private int _free = None;

    /// <summary>Bytes in use.</summary>
    internal long Bytes => (long)_links.Length * Unsafe.SizeOf<Link>();

    /// <summary>Records that an entry refers to a page.</summary>
    internal void Add(ref ShadowPage page, ParentEntry entry)
    {
        if (page.ParentSlot == NoParent)
        {
            (page.Parent, page.ParentSlot) = (entry.Page, entry.Slot);
            return;
        }

        if (page.ParentSlot != Chained)
        {
            page.Parent = Chain(new ParentEntry(page.Parent, page.ParentSlot), None);
            page.ParentSlot = Chained;
        }

        page.Parent = Chain(entry, page.Parent);
    }

    /// <summary>Forgets that an entry refers to a page, which it does.</summary>
    internal void Remove(ref ShadowPage page, ParentEntry entry)
    {
        if (page.ParentSlot != Chained)
        {
            Debug.Assert(new ParentEntry(page.Parent, page.ParentSlot) == entry, "It refers to the page.");
            Clear(ref page);
            return;
        }

        ref int next = ref page.Parent;
        while (_links[next].Entry != entry)
        {
            next = ref _links[next].Next;
        }

        int gone = next;
        next = _links[gone].Next;
        Free(gone);
        if (_links[page.Parent].Next == None)
        {
            int last = page.Parent;
            (page.Parent, page.ParentSlot) = (_links[last].Page, _links[last].Slot);
            Free(last);
        }
    }

    /// <summary>Forgets every entry that refers to a page.</summary>
    internal void Clear(ref ShadowPage page)
    {
        for (int link = page.ParentSlot == Chained ? page.Parent : None; link >= 0;)
        {
            int next = _links[link].Next;
            Free(link);
            link = next;
        }

        page.ParentSlot = NoParent;
    }

    /// <summary>The first entry that refers to a page; see <see cref="Next"/>.</summary>
    internal ParentEntry First(in ShadowPage page, out int position)
    {
        position = page.ParentSlot == Chained ? page.Parent : None;
        return position >= 0 ? _links[position].Entry
            : page.ParentSlot == NoParent ? ParentEntry.None : new ParentEntry(page.Parent, page.ParentSlot);
    }

    /// <summary>The entry after the one at a position.</summary>
    internal ParentEntry Next(ref int position)
    {
        position = position >= 0 ? _links[position].Next : None;
        return position >= 0 ? _links[position].Entry : ParentEntry.None;
    }

    private int Chain(ParentEntry entry, int next)
    {
        int link = _free;
        if (link >= 0)
        {
            _free = _links[link].Next;
        }
        else
        {
            if (_used == _links.Length)
            {
                Array.Resize(ref _links, _used + (_used / 4));
            }

            link = _used++;
        }

        _links[link] = new Link { Page = entry.Page, Slot = entry.Slot, Next = next };
        return link;
    }

    private void Free(int link) => (_links[link].Next, _free) = (_free, link);

    private struct Link
    {
        internal int Page;
        internal int Next;
        internal ushort Slot;

        internal readonly ParentEntry Entry => new(Page, Slot);
    }
}
