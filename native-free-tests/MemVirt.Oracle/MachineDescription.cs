using System.Text.Json;

namespace MemVirt.Oracle;

internal sealed record TlbDescription(int[] SizesLog2, Shape Shape, double Latency);

internal sealed record CacheDescription(string Name, Shape Shape, double Latency);

/// <summary>The machine file, read literally. A number the file leaves out is zero.</summary>
internal sealed class MachineDescription
{
    private static readonly string[] WalkCacheNames =
        ["pml4e", "pdpte", "pde", "nestedTlb", "nestedPml4e", "nestedPdpte", "nestedPde"];

    public MachineDescription(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        JsonElement root = document.RootElement;

        JsonElement? tlb = Child(root, "tlb");
        L1Instruction = Structures(tlb, "l1i");
        L1Data = Structures(tlb, "l1d");
        L2 = Structures(tlb, "l2");

        JsonElement? walkCaches = Child(root, "walkCaches");
        HoldsHostPhysical = Text(walkCaches, "holds", "hostPhysical") != "guestPhysical";
        WalkCacheLatency = Number(walkCaches, "latency");
        foreach (string name in WalkCacheNames)
        {
            if (Child(walkCaches, name) is JsonElement structure)
            {
                WalkCaches[name] = ReadShape(structure);
            }
        }

        if (Child(root, "caches") is JsonElement caches)
        {
            Caches = ReadCaches(caches);
            MemoryLatency = Number(caches, "memoryLatency");
            WalkerEntersAtL2 = Text(caches, "walkerEntersAt", "l1d") == "l2";
        }

        WalkReferenceCycles = Number(root, "walkReferenceCycles");
        JsonElement? costs = Child(root, "costs");
        BaseCpi = Number(costs, "baseCpi");
        Overlap = Number(costs, "overlap");
        GuestFaultCycles = Number(costs, "guestFaultCycles");
        ContextSwitchCycles = Number(costs, "contextSwitchCycles");
        ExitCycles = Number(costs, "exitCycles");
        if (Child(costs, "handlerCycles") is JsonElement handlers)
        {
            foreach (JsonProperty handler in handlers.EnumerateObject())
            {
                HandlerCycles[handler.Name] = handler.Value.GetDouble();
            }
        }
    }

    public IReadOnlyList<TlbDescription> L1Instruction { get; }

    public IReadOnlyList<TlbDescription> L1Data { get; }

    public IReadOnlyList<TlbDescription> L2 { get; }

    public bool HoldsHostPhysical { get; }

    public double WalkCacheLatency { get; }

    public Dictionary<string, Shape> WalkCaches { get; } = [];

    /// <summary>Null where the file says <c>"caches": null</c>.</summary>
    public IReadOnlyList<CacheDescription>? Caches { get; }

    public double MemoryLatency { get; }

    public bool WalkerEntersAtL2 { get; }

    public double WalkReferenceCycles { get; }

    public double BaseCpi { get; }

    public double Overlap { get; }

    public double GuestFaultCycles { get; }

    public double ContextSwitchCycles { get; }

    public double ExitCycles { get; }

    public Dictionary<string, double> HandlerCycles { get; } = [];

    private static List<TlbDescription> Structures(JsonElement? tlb, string level)
    {
        List<TlbDescription> structures = [];
        if (Child(tlb, level) is JsonElement list)
        {
            foreach (JsonElement structure in list.EnumerateArray())
            {
                int[] sizes = [.. structure.GetProperty("pageSizes").EnumerateArray()
                    .Select(size => Paging.ParseSize(size.GetString()!))];
                structures.Add(new TlbDescription(sizes, ReadShape(structure), Number(structure, "latency")));
            }
        }

        return structures;
    }

    private static List<CacheDescription> ReadCaches(JsonElement caches)
    {
        List<CacheDescription> levels = [];
        foreach (string name in (string[])["l1d", "l2", "llc"])
        {
            if (Child(caches, name) is JsonElement level)
            {
                int lines = (int)(Number(level, "kib") * 1024 / 64);
                Shape shape = new(lines, (int)Number(level, "ways", lines), XorIndex: false, Replacement.Lru, Seed: 1);
                levels.Add(new CacheDescription(name, shape, Number(level, "latency")));
            }
        }

        return levels;
    }

    private static Shape ReadShape(JsonElement structure)
    {
        int entries = structure.GetProperty("entries").GetInt32();
        Replacement replacement = Text(structure, "replacement", "lru") switch
        {
            "lru" => Replacement.Lru,
            "plru" => Replacement.Plru,
            "random" => Replacement.Random,
            string other => throw new ArgumentException($"replacement '{other}' is not lru, plru or random"),
        };
        ulong seed = Child(structure, "seed")?.GetUInt64() ?? 1;
        int ways = (int)Number(structure, "ways", entries);
        return new Shape(entries, ways, Text(structure, "index", "modulo") == "xor", replacement, seed);
    }

    private static JsonElement? Child(JsonElement? parent, string name) =>
        parent is JsonElement element && element.TryGetProperty(name, out JsonElement child)
            && child.ValueKind != JsonValueKind.Null ? child : null;

    private static double Number(JsonElement? parent, string name, double absent = 0) =>
        Child(parent, name)?.GetDouble() ?? absent;

    private static string Text(JsonElement? parent, string name, string absent) =>
        Child(parent, name)?.GetString() ?? absent;
}
