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

    /// <summary>Walks <paramref name="address"/> from the table at <paramref name="root"/>.</summary>
    /// <param name="locator">Finds entries in host memory.</param>
    /// <param name="reader">Reads entries.</param>
    /// <param name="kind">Whose tables these are.</param>
    /// <param name="rules">What is made of entries.</param>
    /// <param name="caches">Paging-structure caches to start from and to fill; null for none.</param>
    /// <param name="context">The context the caches' entries are tagged with.</param>
    /// <param name="root">The root table's address in the tables' own space.</param>
    /// <param name="address">The address to translate; bits above the root's reach are ignored.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // one instance a source: bench WalkBenchmarks
    public static WalkResult Walk(
        ref TLocator locator, ref TReader reader, TableKind kind, EntryRules rules, PagingStructureCaches? caches, uint context,
        ulong root, ulong address)
    {
        ulong table = root;
        ulong granted = ulong.MaxValue;
        AccessRights start = AccessRights.Unrestricted;
        int level = TFormat.Levels - 1;
        ulong hostTable = 0;
        bool isLocated = false;
        bool isWritable = true;
        if (caches is not null)
        {
            int found = caches.Probe(address, context, out ulong cachedTable, out AccessRights cachedRights, out bool cachedWritable);
            if (found >= 0)
            {
                (level, start) = (found, cachedRights);
                isLocated = caches.Holds == CachedTable.HostPhysical;
                (table, hostTable) = isLocated ? (WalkResult.UnknownTable, cachedTable) : (cachedTable, 0);
                isWritable = cachedWritable;
            }
        }

        while (true)
        {
            ulong offset = TFormat.EntryOffset(address, level);
            ulong entryAddress = hostTable + offset;
            if (!isLocated)
            {
                entryAddress = locator.Locate(table + offset, out isWritable);
                if (entryAddress == ITableLocator.Unreachable)
                {
                    return new WalkResult(WalkStatus.TableUnreachable, level, start & RightsOf(granted), 0, 0, table, false);
                }

                if (caches is { Holds: CachedTable.HostPhysical } && level < TFormat.Levels - 1)
                {
                    caches.Fill(level + 1, address, context, entryAddress & ~TableOffset, start & RightsOf(granted), isWritable);
                }
            }

            ulong entry = TableEntry<TFormat, TReader>.Read(ref reader, entryAddress, kind, level);
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
                    AccessRights all = start & RightsOf(granted) & TFormat.LeafRights(entry);
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

            isLocated = false;
            level--;
        }
    }

    /// <summary>The rights of all entries passed: bits that withhold one are inverted here.</summary>
    private static AccessRights RightsOf(ulong granted) => TFormat.Rights(granted ^ TFormat.WithholdingBits);
}
