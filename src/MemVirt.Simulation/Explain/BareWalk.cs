using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Results;

namespace MemVirt.Simulation.Explain;

/// <summary>The references of a walk without any cache, made without changing anything.</summary>
internal static class BareWalk
{
    /// <summary>The references in order; nobody has answered for them yet.</summary>
    internal static List<WalkReference> References(Regime regime, RegimeTables tables, WalkRules rules, ulong address, AccessRights needed)
    {
        var reads = new List<DryRead>();
        ulong root = tables.HardwareRoot;
        _ = TableWalker.Create(regime, tables, rules, new DryReader(tables.Host, reads), hardware: null).Walk(root, address, needed);
        bool nested = regime is Regime.Ept or Regime.Npt;
        int guestLevel = X64FourLevel.Levels - 1;
        ulong gpa = root + TableGeometry.EntryOffset(address, guestLevel);
        var references = new List<WalkReference>(reads.Count);
        foreach (DryRead read in reads)
        {
            int place = read.Kind == TableKind.SecondStage ? guestLevel : read.Level;
            references.Add(new WalkReference(
                read.Kind, read.Level, place, read.HostAddress, nested ? gpa : null, read.Entry, 0, WalkServer.Walker, 0));
            if (read.Kind != TableKind.SecondStage)
            {
                (guestLevel, gpa) = Next(read, address);
            }
        }

        return references;
    }

    /// <summary>What is looked for after an entry: the next table's entry, or the page.</summary>
    private static (int Level, ulong Gpa) Next(DryRead read, ulong address)
    {
        if (X64FourLevel.IsLeaf(read.Entry, read.Level))
        {
            ulong offset = address & ((1UL << TableGeometry.ShiftOf(read.Level)) - 1);
            return (WalkReference.FinalAddress, TableGeometry.PageAddress(read.Entry, read.Level) | offset);
        }

        return (read.Level - 1, TableGeometry.TableAddress(read.Entry) + TableGeometry.EntryOffset(address, read.Level - 1));
    }

    private readonly record struct DryRead(TableKind Kind, int Level, ulong HostAddress, ulong Entry);

    /// <summary>Reads entries, writes down which, and sets no flags.</summary>
    private readonly struct DryReader(SparseMemory memory, List<DryRead> reads) : ITableReader
    {
        public ulong Read(ulong hostAddress, TableKind kind, int level)
        {
            ulong entry = memory.Read(hostAddress);
            reads.Add(new DryRead(kind, level, hostAddress, entry));
            return entry;
        }

        public bool TryReplace(ulong hostAddress, ulong expected, ulong replacement) => true;
    }
}
