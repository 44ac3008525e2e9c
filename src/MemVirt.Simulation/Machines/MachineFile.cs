using System.Text.Json;
using MemVirt.Core.Addresses;

namespace MemVirt.Simulation.Machines;

/// <summary>
/// Reads machine files. The reading is strict, since a misspelt or forgotten field would silently change every count: unknown
/// fields, missing fields, wrong types and figures no machine can have are refused with the field's path.
/// </summary>
public static class MachineFile
{
    /// <summary>Reads a machine file from disk.</summary>
    /// <exception cref="MachineException">It cannot be read, or is not a machine; the message is one line.</exception>
    public static MachineDescription Load(string path)
    {
        try
        {
            using FileStream stream = File.OpenRead(path);
            if (stream.Length > MachineLimits.FileBytes)
            {
                throw new MachineException($"{path}: {stream.Length} bytes is no machine file; the limit is {MachineLimits.FileBytes}");
            }

            using var copy = new MemoryStream();
            stream.CopyTo(copy);
            return Parse(copy.GetBuffer().AsMemory(0, (int)copy.Length), path);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new MachineException($"{path}: no such machine file; `memvirt machines skylake > {path}` makes one to edit", exception);
        }
        catch (Exception exception) when (exception is UnauthorizedAccessException or IOException)
        {
            string reason = Directory.Exists(path) ? "is a directory; give a machine file" : "cannot be read: " + OneLine(exception);
            throw new MachineException($"{path}: {reason}", exception);
        }
    }

    /// <summary>Reads a machine from JSON in UTF-8.</summary>
    /// <param name="json">The document.</param>
    /// <param name="file">The name for messages.</param>
    /// <exception cref="MachineException">It is not a machine; the message is one line.</exception>
    public static MachineDescription Parse(ReadOnlyMemory<byte> json, string file)
    {
        ReadOnlyMemory<byte> document = json.Span.StartsWith("\uFEFF"u8) ? json[3..] : json;
        if (document.Length == 0)
        {
            throw new MachineException($"{file}: the file is empty; `memvirt machines skylake` prints a machine file to start from");
        }

        try
        {
            using JsonDocument parsed = JsonDocument.Parse(document, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return Machine(JsonField.Root(file, parsed.RootElement));
        }
        catch (JsonException exception)
        {
            string where = exception.LineNumber is long line ? $"line {line + 1}, byte {exception.BytePositionInLine + 1}: " : "";
            throw new MachineException(
                $"{file}: {where}not valid JSON ({OneLine(exception)}); `memvirt machines skylake` prints a valid machine file", exception);
        }
    }

    private static MachineDescription Machine(JsonField root)
    {
        root.Object("name", "sources", "tlb", "walkCaches", "caches", "walkReferenceCycles", "costs");
        JsonField name = root.Required("name", "the machine's name, \"name\": \"…\"");
        if (string.IsNullOrWhiteSpace(name.Text()))
        {
            throw name.Error("empty; write the machine's name");
        }

        DataCachesDescription? caches = root.Optional("caches") is { } data ? MachineFileCaches.Read(data) : null;
        JsonField? walkReferenceCycles = caches is null
            ? root.Required("walkReferenceCycles", "the cycles of a walk reference (there are no caches to price it)")
            : root.Optional("walkReferenceCycles");
        return new MachineDescription
        {
            Name = name.Text(),
            Sources = root.Optional("sources")?.Strings() ?? [],
            Tlb = Tlb(root.Required("tlb", "\"tlb\": { \"l1i\": […], \"l1d\": […], \"l2\": […] }")),
            WalkCaches = root.Optional("walkCaches") is { } walkCaches ? WalkCaches(walkCaches) : null,
            Caches = caches,
            WalkReferenceCycles = walkReferenceCycles?.Number() ?? 0,
            Costs = MachineFileCosts.Read(root.Required("costs", "\"costs\": { \"baseCpi\": …, … }")),
        };
    }

    private static TlbDescription Tlb(JsonField tlb)
    {
        const string Example = "[ { \"pageSizes\": [\"4k\"], \"entries\": 64, \"ways\": 4 } ]";
        tlb.Object("l1i", "l1d", "l2");
        return new TlbDescription
        {
            L1i = Level(tlb.Required("l1i", Example), mayBeEmpty: false),
            L1d = Level(tlb.Required("l1d", Example), mayBeEmpty: false),
            L2 = tlb.Optional("l2") is { } l2 ? Level(l2, mayBeEmpty: true) : [],
        };
    }

    private static List<TlbStructureDescription> Level(JsonField level, bool mayBeEmpty)
    {
        List<JsonField> structures = level.Elements(MachineLimits.Structures);
        return structures.Count > 0 || mayBeEmpty
            ? structures.ConvertAll(TlbStructure)
            : throw level.Error("empty; a first level needs at least one structure");
    }

    private static TlbStructureDescription TlbStructure(JsonField structure)
    {
        structure.Object("pageSizes", "entries", "ways", "index", "replacement", "seed", "latency");
        StructureDescription shape = MachineFileStructures.Read(structure);
        return new TlbStructureDescription
        {
            PageSizes = PageSizes(structure.Required("pageSizes", "the sizes held, [\"4k\", \"2m\", \"1g\"] or some of them")),
            Entries = shape.Entries,
            Ways = shape.Ways,
            Index = shape.Index,
            Replacement = shape.Replacement,
            Seed = shape.Seed,
            Latency = structure.Optional("latency")?.Number() ?? 0,
        };
    }

    private static List<PageSize> PageSizes(JsonField field)
    {
        var sizes = new List<PageSize>();
        foreach (JsonField element in field.Elements(3))
        {
            PageSize size = element.Word<PageSize>(("4k", PageSize.Size4K), ("2m", PageSize.Size2M), ("1g", PageSize.Size1G));
            if (sizes.Contains(size))
            {
                throw element.Error($"\"{element.Text()}\" stands here twice; name each size once");
            }

            sizes.Add(size);
        }

        return sizes.Count > 0 ? sizes : throw field.Error("empty; write the sizes held, for example [\"4k\"]");
    }

    private static WalkCachesDescription WalkCaches(JsonField caches)
    {
        caches.Object(
            "holds", "latency", "pml4e", "pdpte", "pde", "nestedPml4e", "nestedPdpte", "nestedPde", "nestedTlb");
        StructureDescription? Cache(string name)
        {
            if (caches.Optional(name) is not { } cache)
            {
                return null;
            }

            cache.Object("entries", "ways", "index", "replacement", "seed");
            return MachineFileStructures.Read(cache);
        }

        return new WalkCachesDescription
        {
            Holds = caches.Required("holds", "\"hostPhysical\" (Intel) or \"guestPhysical\" (AMD)").Word<WalkCacheContent>(
                ("hostPhysical", WalkCacheContent.HostPhysical), ("guestPhysical", WalkCacheContent.GuestPhysical)),
            Latency = caches.Optional("latency")?.Number() ?? 0,
            Pml4e = Cache("pml4e"),
            Pdpte = Cache("pdpte"),
            Pde = Cache("pde"),
            NestedPml4e = Cache("nestedPml4e"),
            NestedPdpte = Cache("nestedPdpte"),
            NestedPde = Cache("nestedPde"),
            NestedTlb = Cache("nestedTlb"),
        };
    }

    private static string OneLine(Exception exception) => exception.Message.ReplaceLineEndings(" ");
}
