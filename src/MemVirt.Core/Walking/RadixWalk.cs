using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Formats;

namespace MemVirt.Core.Walking;

/// <summary>How a walk gets from a table's address in its own space to the table in host memory.</summary>
public interface ITableLocator
{
    /// <summary>The host-physical address of the table at <paramref name="tableAddress"/>; false where the second stage faults.</summary>
    bool TryLocate(ulong tableAddress, out ulong hostTable);
}

/// <summary>Tables that lie in host-physical memory already: native, second-stage and shadow tables.</summary>
public readonly struct HostTables : ITableLocator
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryLocate(ulong tableAddress, out ulong hostTable)
    {
        hostTable = tableAddress;
        return true;
    }
}

/// <summary>
/// The one walk of this library: root to leaf through tables of a format. Native, guest, EPT, NPT and shadow walks differ only in
/// the format, in how tables are located, and in how entries are read. It sets accessed bits as it goes and allocates nothing.
/// </summary>
public static class RadixWalk<TFormat, TLocator, TReader>
    where TFormat : struct, IPageTableFormat
    where TLocator : struct, ITableLocator
    where TReader : struct, ITableReader
{
    /// <summary>Walks <paramref name="address"/> from the table at <paramref name="root"/>.</summary>
    /// <param name="locator">Finds tables in host memory.</param>
    /// <param name="reader">Reads entries.</param>
    /// <param name="kind">Whose tables these are.</param>
    /// <param name="caches">Paging-structure caches to start from and to fill; null for none.</param>
    /// <param name="context">The context the caches' entries are tagged with.</param>
    /// <param name="root">The root table's address in the tables' own space.</param>
    /// <param name="address">The address to translate; bits above the root's reach are ignored.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // one instance a source: bench WalkBenchmarks
    public static WalkResult Walk(
        ref TLocator locator, ref TReader reader, TableKind kind, PagingStructureCaches? caches, uint context, ulong root, ulong address)
    {
        ulong table = root;
        AccessRights rights = AccessRights.All;
        int level = TFormat.Levels - 1;
        bool located = false;
        if (caches is not null)
        {
            int found = caches.Probe(address, context, out ulong cachedTable, out AccessRights cachedRights);
            if (found >= 0)
            {
                (level, table, rights) = (found, cachedTable, cachedRights);
                located = caches.Holds == CachedTable.HostPhysical;
            }
        }

        while (true)
        {
            ulong hostTable = table;
            if (!located)
            {
                if (!locator.TryLocate(table, out hostTable))
                {
                    return new WalkResult(WalkStatus.TableUnreachable, level, rights, 0, 0);
                }

                if (caches is { Holds: CachedTable.HostPhysical } && level < TFormat.Levels - 1)
                {
                    caches.Fill(level + 1, address, context, hostTable, rights);
                }
            }

            ulong entryAddress = hostTable + TableGeometry.EntryOffset(address, level);
            ulong entry = reader.Read(entryAddress, kind, level);
            if (!TFormat.IsPresent(entry))
            {
                return new WalkResult(WalkStatus.NotPresent, level, rights, entry, entryAddress);
            }

            if ((entry & TFormat.AccessedBit) != TFormat.AccessedBit)
            {
                reader.SetBits(entryAddress, TFormat.AccessedBit);
            }

            rights &= TFormat.Rights(entry);
            if (TFormat.IsLeaf(entry, level))
            {
                return new WalkResult(WalkStatus.Leaf, level, rights, entry, entryAddress);
            }

            table = TableGeometry.TableAddress(entry);
            if (caches is { Holds: CachedTable.GuestPhysical })
            {
                caches.Fill(level, address, context, table, rights);
            }

            located = false;
            level--;
        }
    }
}
