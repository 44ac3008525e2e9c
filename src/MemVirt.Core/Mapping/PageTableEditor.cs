using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;

namespace MemVirt.Core.Mapping;

/// <summary>
/// Software's side of page tables, in any format: finds and makes the path to an entry; maps, unmaps, protects, splits, merges.
/// </summary>
/// <remarks>
/// <para>Processors may walk the tables, and set accessed and dirty bits by compare-exchange, during every edit: no such bit is
/// lost.
/// Edits of one set of tables are made by one thread at a time. No table belongs to two roots.</para>
/// <para>Each edit returns what must be forgotten because of it; MV0001 does not let it be dropped. An edit is made whole or,
/// where
/// its status is not <see cref="EditStatus.Done"/>, not at all. Address bits above the root's reach are ignored. Nothing
/// allocates
/// but the tables. In 32-bit paging <see cref="PageSize.Size2M"/> names the 4 MiB page of a PDE.</para>
/// </remarks>
public static class PageTableEditor<TFormat, TSpace>
    where TFormat : struct, IPageTableFormat
    where TSpace : struct, ITableSpace
{
    private static readonly int Reach = SpaceEntry<TFormat, TSpace>.Reach;

    /// <summary>
    /// The address of the entry at <paramref name="leafLevel"/> that translates <paramref name="address"/>. Missing tables are
    /// allocated and linked from the top down; <paramref name="tablesAllocated"/> says how many.
    /// </summary>
    /// <exception cref="InvalidOperationException">A larger page covers the address.</exception>
    public static ulong EnsureEntry(ref TSpace space, ulong root, ulong address, int leafLevel, out int tablesAllocated)
    {
        tablesAllocated = 0;
        ulong table = root;
        for (int level = TFormat.Levels - 1; level > leafLevel; level--)
        {
            ulong entryAddress = table + TFormat.EntryOffset(address, level);
            ulong entry = SpaceEntry<TFormat, TSpace>.Read(ref space, entryAddress);
            if (TFormat.IsPresent(entry))
            {
                if (TFormat.IsLeaf(entry, level))
                {
                    EditErrors.LargerPageOnTheWay(address, level);
                }

                table = TFormat.TableAddress(entry);
                continue;
            }

            table = space.AllocateTable();
            tablesAllocated++;
            SpaceEntry<TFormat, TSpace>.Write(ref space, entryAddress, LeafBits<TFormat>.Link(table), level);
        }

        return table + TFormat.EntryOffset(address, leafLevel);
    }

    /// <summary>
    /// Maps one page, accessed and, if asked, dirty. Nothing need be forgotten: no processor caches that nothing is mapped
    /// (Intel SDM Vol. 3A §4.10.4.3). Status <see cref="EditStatus.AlreadyMapped"/> or
    /// <see cref="EditStatus.SmallerPagesMapped"/> where something stands there.
    /// </summary>
    /// <exception cref="ArgumentException">An address is not aligned to the size, or no entry grants these rights.</exception>
    public static PendingInvalidation Map(
        ref TSpace space,
        ulong root,
        ulong address,
        HostPhysicalAddress page,
        PageSize size,
        AccessRights rights,
        bool dirty = false)
    {
        int leafLevel = size.LeafLevel();
        RequireAligned("address", address, leafLevel);
        RequireAligned("page", page.Value, leafLevel);
        RequireRights(rights);
        if (!LeafBits<TFormat>.CanHold(page.Value, leafLevel))
        {
            EditErrors.PageOutOfReach(page.Value);
        }

        EntryPosition found = EntryPosition.Find<TFormat, TSpace>(ref space, root, address, leafLevel);
        if (TFormat.IsPresent(found.Entry))
        {
            bool isLeaf = TFormat.IsLeaf(found.Entry, found.Level);
            return PendingInvalidation.Failed(isLeaf ? EditStatus.AlreadyMapped : EditStatus.SmallerPagesMapped, address);
        }

        ulong entryAddress = EnsureEntry(ref space, root, address, leafLevel, out _);
        ulong leaf = TFormat.LeafEntry(page.Value, leafLevel, rights, dirty);
        SpaceEntry<TFormat, TSpace>.Exchange(ref space, entryAddress, leaf, leafLevel);
        return PendingInvalidation.Nothing;
    }

    /// <summary>
    /// Unmaps what is mapped in a range of 4 KiB multiples, holes allowed, and removes the tables that this leaves empty. Status
    /// <see cref="EditStatus.CutsLargerPage"/> where the range ends inside of a larger page.
    /// </summary>
    /// <exception cref="ArgumentException">The range is empty, not a multiple of 4 KiB, or out of reach.</exception>
    public static PendingInvalidation Unmap(ref TSpace space, ulong root, AddressRange range)
    {
        var edit = default(RemoveLeaf);
        return Edit(ref space, root, range, ref edit);
    }

    /// <summary>
    /// Gives what is mapped in a range of 4 KiB multiples, holes allowed, these rights and keeps everything else. Status
    /// <see cref="EditStatus.CutsLargerPage"/> where the range ends inside of a larger page.
    /// </summary>
    /// <exception cref="ArgumentException">The range is empty, not a multiple of 4 KiB, or out of reach; or no entry grants these
    /// rights.</exception>
    public static PendingInvalidation Protect(ref TSpace space, ulong root, AddressRange range, AccessRights rights)
    {
        RequireRights(rights);
        var edit = new SetRights<TFormat>(rights);
        return Edit(ref space, root, range, ref edit);
    }

    /// <summary>
    /// Splits the page that maps an address until it is no larger than <paramref name="size"/>; where it is none already, nothing
    /// changes. The pieces have the page's rights, accessed, dirty, memory-type and ignored bits. Status
    /// <see cref="EditStatus.NotMapped"/> where no page is there, or <see cref="EditStatus.NotSplittable"/>.
    /// </summary>
    public static PendingInvalidation Split(ref TSpace space, ulong root, ulong address, PageSize size = PageSize.Size4K)
    {
        var journal = new EditJournal();
        EntryPosition found = EntryPosition.Find<TFormat, TSpace>(ref space, root, address, 0);
        if (!TFormat.IsPresent(found.Entry))
        {
            return PendingInvalidation.Failed(EditStatus.NotMapped, address);
        }

        AddressRange range = SpanOf(address, found.Level);
        ulong page = TFormat.PageAddress(found.Entry, found.Level);
        if (found.Level > size.LeafLevel() && !LeafBits<TFormat>.CanHold(page + range.LengthBytes - 4096, size.LeafLevel()))
        {
            return PendingInvalidation.Failed(EditStatus.NotSplittable, address);
        }

        while (found.Level > size.LeafLevel())
        {
            PageResize<TFormat, TSpace>.Split(ref space, found.EntryAddress, found.Level, ref journal);
            found = EntryPosition.Find<TFormat, TSpace>(ref space, root, address, found.Level - 1);
        }

        return journal.Pending(range);
    }

    /// <summary>
    /// Makes the 512 next smaller pages around an address one page of <paramref name="size"/>, accessed and dirty where any of
    /// them
    /// was. Status <see cref="EditStatus.NotMapped"/>, <see cref="EditStatus.AlreadyMapped"/> (as a page that large) or
    /// <see cref="EditStatus.NotMergeable"/>.
    /// </summary>
    /// <remarks>
    /// For the time of the edit a walk may find nothing present there and fault. A handler must look at the tables again, under
    /// the lock that edits take, before it takes such a fault for real.
    /// </remarks>
    /// <exception cref="ArgumentException">The size is 4 KiB.</exception>
    public static PendingInvalidation Merge(ref TSpace space, ulong root, ulong address, PageSize size)
    {
        if (size == PageSize.Size4K)
        {
            EditErrors.NotALargePage(nameof(Merge));
        }

        EntryPosition parent = EntryPosition.Find<TFormat, TSpace>(ref space, root, address, size.LeafLevel());
        if (!TFormat.IsPresent(parent.Entry))
        {
            return PendingInvalidation.Failed(EditStatus.NotMapped, address);
        }

        if (TFormat.IsLeaf(parent.Entry, parent.Level))
        {
            return PendingInvalidation.Failed(EditStatus.AlreadyMapped, address);
        }

        ulong table = TFormat.TableAddress(parent.Entry);
        if (!PageResize<TFormat, TSpace>.CanMerge(ref space, table, parent.Level - 1))
        {
            return PendingInvalidation.Failed(EditStatus.NotMergeable, address);
        }

        var journal = new EditJournal();
        PageResize<TFormat, TSpace>.Merge(ref space, parent, table, ref journal);
        return journal.Pending(SpanOf(address, parent.Level));
    }

    /// <summary>Makes one change of every leaf in a range.</summary>
    internal static PendingInvalidation Edit<TEdit>(ref TSpace space, ulong root, AddressRange range, ref TEdit edit)
        where TEdit : struct, ILeafEdit
    {
        ulong first = range.Start & ((1UL << Reach) - 1);
        ulong last = first + range.LengthBytes - 1;
        RequireAligned("range's start", range.Start, 0);
        RequireAligned("range's length", range.LengthBytes, 0);
        if (range.LengthBytes == 0 || last < first || last >> Reach != 0)
        {
            EditErrors.OutOfReach(range, Reach);
        }

        // Only the pages at the two ends can be cut.
        if (IsCut(ref space, root, first, first, last))
        {
            return PendingInvalidation.Failed(EditStatus.CutsLargerPage, range.Start);
        }

        if (IsCut(ref space, root, last, first, last))
        {
            return PendingInvalidation.Failed(EditStatus.CutsLargerPage, range.Last);
        }

        var journal = new EditJournal();
        RangeEdit<TFormat, TSpace, TEdit>.Apply(ref space, root, TFormat.Levels - 1, first, last, ref edit, ref journal);
        return journal.Pending(range);
    }

    private static bool IsCut(ref TSpace space, ulong root, ulong address, ulong first, ulong last)
    {
        EntryPosition found = EntryPosition.Find<TFormat, TSpace>(ref space, root, address, 0);
        AddressRange span = SpanOf(address, found.Level);
        return TFormat.IsPresent(found.Entry) && (span.Start < first || span.Last > last);
    }

    private static AddressRange SpanOf(ulong address, int level)
    {
        ulong bytes = 1UL << TFormat.ShiftOf(level);
        return new AddressRange(address & ~(bytes - 1), bytes);
    }

    private static void RequireAligned(string what, ulong address, int level)
    {
        ulong bytes = 1UL << TFormat.ShiftOf(level);
        if ((address & (bytes - 1)) != 0)
        {
            EditErrors.Misaligned(what, address, bytes);
        }
    }

    private static void RequireRights(AccessRights rights)
    {
        if (!LeafBits<TFormat>.CanGrant(rights))
        {
            EditErrors.RightsNotExpressible(rights);
        }
    }
}
