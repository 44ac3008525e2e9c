using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Formats;

namespace MemVirt.Core.Walking;

/// <summary>
/// The one walk of this library: root to leaf through tables of a format. Native, guest, EPT, NPT and shadow walks differ only in
/// the format, in the rules, in how tables are located, and in how entries are read. It sets the accessed flag of each entry it
/// passes, by compare-exchange; the leaf's flags are the caller's to set once the access is known to be allowed
/// (Intel SDM Vol. 3A §4.8). It allocates nothing.
/// </summary>
public static class RadixWalk<TFormat, TLocator, TReader>
    where TFormat : struct, IPageTableFormat
    where TLocator : struct, ITableLocator
    where TReader : struct, ITableReader
{
    private const ulong TableOffset = 0xFFF;

    /// <summary>
    /// The walk as it goes nearly always, without caches: every entry on the way is plain, and so is the leaf. True where it was; else
    /// <see cref="Continue"/> goes on from the entry that was not.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // one instance a source: bench WalkBenchmarks
    internal static bool TryWalkPlain(
        ref TLocator locator, ref TReader reader, TableKind kind, EntryRules rules, ulong root, ulong address, out WalkPoint at)
    {
        ulong table = root;
        ulong granted = ulong.MaxValue;
        int level = TFormat.Levels - 1;
        ulong entryAddress;
        ulong entry;
        bool isWritable;
        while (true)
        {
            entryAddress = locator.Locate(table + TFormat.EntryOffset(address, level), out isWritable);
            if (TLocator.MayFail && entryAddress == ITableLocator.Unreachable)
            {
                at = new WalkPoint(level, table, granted, 0, entryAddress, false);
                return false;
            }

            entry = TableEntry<TFormat, TReader>.Read(ref reader, entryAddress, kind, level);
            if ((entry & rules.PlainMask(level)) != rules.PlainValue)
            {
                break;
            }

            granted &= entry ^ TFormat.WithholdingBits;
            table = TFormat.TableAddress(entry);
            level--;
        }

        at = new WalkPoint(level, table, granted, entry, entryAddress, isWritable);
        return (entry & rules.PlainLeafMask(level)) == rules.PlainLeafValue(level)
               && !(TFormat.IsExtendedPageTable && rules.Forbids(entry, isLeaf: true));
    }

    /// <summary>
    /// The walk as it goes nearly always with caches: the PDE cache tells where the page table lies in the host, and the leaf is
    /// plain. True where it was; else <see cref="Walk"/> has to be asked, or <see cref="Continue"/> if the leaf has been read.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // one instance a source: bench WalkBenchmarks
    internal static bool TryLeafOfCachedTable(
        ref TReader reader, TableKind kind, EntryRules rules, PagingStructureCaches caches, uint context, ulong address,
        out WalkPoint at, out AccessRights start)
    {
        if (!caches.TryFindPageTable(address, context, out ulong table, out start, out bool isWritable))
        {
            at = default;
            return false;
        }

        ulong entryAddress = table + TFormat.EntryOffset(address, 0);
        ulong entry = TableEntry<TFormat, TReader>.Read(ref reader, entryAddress, kind, 0);
        at = new WalkPoint(0, WalkResult.UnknownTable, ulong.MaxValue, entry, entryAddress, isWritable);
        return (entry & rules.PlainLeafMask(0)) == rules.PlainLeafValue(0)
               && !(TFormat.IsExtendedPageTable && rules.Forbids(entry, isLeaf: true));
    }

    /// <summary>The rights of a leaf reached by <see cref="TryWalkPlain"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static AccessRights RightsAt(in WalkPoint at) => TFormat.RightsOf(at.Granted, at.Entry);

    /// <summary>Goes on with a leaf table's entry that <see cref="TryLeafOfCachedTable"/> has read.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static WalkResult ContinueFromCache(
        ref TLocator locator, ref TReader reader, TableKind kind, EntryRules rules, PagingStructureCaches caches, uint context,
        ulong address, WalkPoint at, AccessRights start)
        => Loop(ref locator, ref reader, kind, rules, caches, context, address, at, start, EntryState.Read);

    /// <summary>Goes on where <see cref="TryWalkPlain"/> stopped, with the entry that it has read.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static WalkResult Continue(
        ref TLocator locator, ref TReader reader, TableKind kind, EntryRules rules, ulong address, WalkPoint at)
        => at.EntryAddress == ITableLocator.Unreachable
            ? new WalkResult(WalkStatus.TableUnreachable, at.Level, RightsOf(at.Granted), 0, 0, at.Table, false)
            : Loop(ref locator, ref reader, kind, rules, null, 0, address, at, AccessRights.Unrestricted, EntryState.Read);

    /// <summary>Walks <paramref name="address"/> from the table at <paramref name="root"/>.</summary>
    /// <param name="locator">Finds entries in host memory.</param>
    /// <param name="reader">Reads entries.</param>
    /// <param name="kind">Whose tables these are.</param>
    /// <param name="rules">What is made of entries.</param>
    /// <param name="caches">Paging-structure caches to start from and to fill; null for none.</param>
    /// <param name="context">The context the caches' entries are tagged with.</param>
    /// <param name="root">The root table's address in the tables' own space.</param>
    /// <param name="address">The address to translate; bits above the root's reach are ignored.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static WalkResult Walk(
        ref TLocator locator, ref TReader reader, TableKind kind, EntryRules rules, PagingStructureCaches? caches, uint context,
        ulong root, ulong address)
    {
        var from = new WalkPoint(TFormat.Levels - 1, root, ulong.MaxValue, 0, 0, true);
        if (caches is null)
        {
            return Loop(ref locator, ref reader, kind, rules, null, 0, address, from, AccessRights.Unrestricted, EntryState.Unknown);
        }

        int found = caches.Probe(address, context, out ulong cachedTable, out AccessRights cachedRights, out bool cachedWritable);
        if (found < 0)
        {
            return Loop(ref locator, ref reader, kind, rules, caches, context, address, from, AccessRights.Unrestricted, EntryState.Unknown);
        }

        bool isHost = caches.Holds == CachedTable.HostPhysical;
        ulong place = isHost ? cachedTable + TFormat.EntryOffset(address, found) : 0;
        from = new WalkPoint(found, isHost ? WalkResult.UnknownTable : cachedTable, ulong.MaxValue, 0, place, cachedWritable);
        return Loop(
            ref locator, ref reader, kind, rules, caches, context, address, from, cachedRights, isHost ? EntryState.Located : EntryState.Unknown);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)] // into its two callers
    private static WalkResult Loop(
        ref TLocator locator, ref TReader reader, TableKind kind, EntryRules rules, PagingStructureCaches? caches, uint context,
        ulong address, WalkPoint from, AccessRights start, EntryState state)
    {
        (int level, ulong table, ulong granted, ulong entry, ulong entryAddress, bool isWritable) = from;
        while (true)
        {
            if (state == EntryState.Unknown)
            {
                entryAddress = locator.Locate(table + TFormat.EntryOffset(address, level), out isWritable);
                if (entryAddress == ITableLocator.Unreachable)
                {
                    return new WalkResult(WalkStatus.TableUnreachable, level, start & RightsOf(granted), 0, 0, table, false);
                }

                if (caches is { Holds: CachedTable.HostPhysical } && level < TFormat.Levels - 1)
                {
                    caches.Fill(level + 1, address, context, entryAddress & ~TableOffset, start & RightsOf(granted), isWritable);
                }
            }

            if (state != EntryState.Read)
            {
                entry = TableEntry<TFormat, TReader>.Read(ref reader, entryAddress, kind, level);
            }

            if ((entry & rules.PlainMask(level)) != rules.PlainValue)
            {
                if ((entry & rules.PresentBits) == 0)
                {
                    AccessRights left = TFormat.IsExtendedPageTable ? AccessRights.None : start & RightsOf(granted);
                    return new WalkResult(WalkStatus.NotPresent, level, left, entry, entryAddress, table, isWritable);
                }

                bool isLeaf = TFormat.IsLeaf(entry, level);
                if ((entry & rules.Reserved(level, isLeaf)) != 0 || (TFormat.IsExtendedPageTable && rules.Forbids(entry, isLeaf)))
                {
                    return new WalkResult(WalkStatus.Reserved, level, start & RightsOf(granted), entry, entryAddress, table, isWritable);
                }

                if (isLeaf)
                {
                    AccessRights all = start & TFormat.RightsOf(granted, entry);
                    return new WalkResult(WalkStatus.Leaf, level, all, entry, entryAddress, table, isWritable);
                }

                if ((entry & rules.AccessedBit) != rules.AccessedBit)
                {
                    if (!isWritable)
                    {
                        return new WalkResult(WalkStatus.TableReadOnly, level, start & RightsOf(granted), entry, entryAddress, table, false);
                    }

                    if (!TableEntry<TFormat, TReader>.TrySetFlags(ref reader, entryAddress, kind, level, entry, rules.AccessedBit))
                    {
                        // Changed since it was read: read it again.
                        state = EntryState.Located;
                        continue;
                    }
                }
            }

            granted &= entry ^ TFormat.WithholdingBits;
            table = TFormat.TableAddress(entry);
            if (caches is { Holds: CachedTable.GuestPhysical })
            {
                caches.Fill(level, address, context, table, start & RightsOf(granted), isWritable: true);
            }

            state = EntryState.Unknown;
            level--;
        }
    }

    /// <summary>The rights of all entries passed: bits that withhold one are inverted here.</summary>
    private static AccessRights RightsOf(ulong granted) => TFormat.Rights(granted ^ TFormat.WithholdingBits);

    private enum EntryState
    {
        Unknown,
        Located,
        Read,
    }
}
