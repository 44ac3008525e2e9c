using System.Numerics;

namespace MemVirt.Simulation.Machines;

/// <summary>Reads the shape that TLB structures and walk caches share.</summary>
internal static class MachineFileStructures
{
    public static StructureDescription Read(JsonField structure)
    {
        int entries = structure.Required("entries", "how many entries it has").Count(MachineLimits.Entries);
        int? ways = structure.Optional("ways") is { } field ? Ways(field, entries) : null;
        return new StructureDescription
        {
            Entries = entries,
            Ways = ways,
            Index = structure.Optional("index") is { } index ? Index(index, entries / (ways ?? entries)) : SetIndex.Modulo,
            Replacement = structure.Optional("replacement")?.Word<ReplacementPolicy>(
                ("lru", ReplacementPolicy.Lru), ("plru", ReplacementPolicy.Plru), ("random", ReplacementPolicy.Random))
                ?? ReplacementPolicy.Lru,
            Seed = structure.Optional("seed")?.Seed() ?? 1,
        };
    }

    private static int Ways(JsonField field, int entries)
    {
        int ways = field.Count(MachineLimits.Entries);
        return entries % ways == 0
            ? ways
            : throw field.Error(
                $"{entries} entries are not a multiple of {ways} ways; write ways that divide the entries, "
                + "or leave \"ways\" out for a fully associative structure");
    }

    private static SetIndex Index(JsonField field, int sets)
    {
        SetIndex index = field.Word<SetIndex>(("modulo", SetIndex.Modulo), ("xor", SetIndex.Xor));
        return index == SetIndex.Modulo || BitOperations.IsPow2(sets)
            ? index
            : throw field.Error($"\"xor\" needs a power of two of sets, and entries ÷ ways is {sets}; leave \"index\" out or change them");
    }
}
