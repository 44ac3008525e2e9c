using MemVirt.Simulation.Machines;

namespace MemVirt.Simulation.Sweeps;

/// <summary>Machines that differ in nothing but the size of their second-level TLB.</summary>
public static class SecondLevelTlb
{
    /// <summary>Entries of the largest structure of the second level; 0 where a machine has none.</summary>
    public static int EntriesOf(MachineDescription machine)
        => machine.Tlb.L2.Count == 0 ? 0 : machine.Tlb.L2.Max(structure => structure.Entries);

    /// <summary>
    /// The machine with its largest structure of the second level made that size, its ways kept: sets are added or taken away. An index
    /// by exclusive or becomes one by remainder where the sets are no power of two.
    /// </summary>
    /// <exception cref="MachineException">There is no second level, or the ways do not divide the entries.</exception>
    public static MachineDescription WithEntries(MachineDescription machine, int entries)
    {
        if (machine.Tlb.L2.Count == 0)
        {
            throw new MachineException($"{machine.Name} has no second-level TLB to be made {entries} entries large; leave it out");
        }

        TlbStructureDescription largest = machine.Tlb.L2.MaxBy(structure => structure.Entries)!;
        int ways = largest.Ways ?? entries;
        if (entries < ways || entries % ways != 0)
        {
            throw new MachineException(
                $"the second-level TLB of {machine.Name} has {ways} ways: {entries} is no multiple of that; write {Math.Max(1, entries / ways) * ways} for example");
        }

        SetIndex index = int.IsPow2(entries / ways) ? largest.Index : SetIndex.Modulo;
        TlbStructureDescription resized = largest with { Entries = entries, Index = index };
        IReadOnlyList<TlbStructureDescription> level =
            [.. machine.Tlb.L2.Select(structure => ReferenceEquals(structure, largest) ? resized : structure)];
        return machine with { Tlb = machine.Tlb with { L2 = level } };
    }
}
