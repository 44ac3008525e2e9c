using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Explain;

/// <summary>Changes entries of tables that an access passes, as the software that they belong to does.</summary>
internal static class TableEdits
{
    internal static void Apply(Regime regime, RegimeTables tables, WalkSetup setup)
    {
        ulong address = setup.Address.Value & MemoryReference.AddressMask;
        var guest = new Dictionary<int, ulong>();
        foreach ((int level, ulong entryAddress) in GuestPath(tables, address))
        {
            guest[level] = entryAddress;
        }

        List<WalkReference> path = BareWalk.References(regime, tables, new WalkRules(), address, AccessRights.Read | AccessRights.User);
        foreach (EntryEdit edit in setup.Edits)
        {
            if (edit.Table == EditedTable.Guest)
            {
                ulong entryAddress = guest.TryGetValue(edit.Level, out ulong known) ? known : throw NoEntry(edit);
                tables.WriteGuest(entryAddress, Changed(tables.ReadGuest(entryAddress), edit), edit.Level);
            }
            else if (regime == (edit.Table == EditedTable.Ept ? Regime.Ept : Regime.Npt))
            {
                WalkReference entry = path.Find(reference => reference.Kind == TableKind.SecondStage
                    && reference.Level == edit.Level && reference.GuestLevel == edit.GuestLevel) ?? throw NoEntry(edit);
                tables.Host.Write(entry.HostAddress, Changed(tables.Host.Read(entry.HostAddress), edit));
            }
        }

        if (setup.Edits.Count > 0)
        {
            // As after a change of its tables the guest executes INVLPG.
            tables.Pager?.SynchroniseAddress(setup.Address.Value);
        }
    }

    private static ulong Changed(ulong entry, EntryEdit edit) => edit.Sets ? entry | edit.Bits : entry & ~edit.Bits;

    private static ArgumentException NoEntry(EntryEdit edit)
        => new($"The walk passes no entry of level {edit.Level} in these tables.", nameof(edit));

    /// <summary>The guest's entries that an address passes, root first.</summary>
    private static IEnumerable<(int Level, ulong EntryAddress)> GuestPath(RegimeTables tables, ulong address)
    {
        ulong table = tables.GuestRoot;
        for (int level = X64FourLevel.Levels - 1; ; level--)
        {
            ulong entryAddress = table + TableGeometry.EntryOffset(address, level);
            yield return (level, entryAddress);
            ulong entry = tables.ReadGuest(entryAddress);
            if (X64FourLevel.IsLeaf(entry, level))
            {
                yield break;
            }

            table = TableGeometry.TableAddress(entry);
        }
    }
}
