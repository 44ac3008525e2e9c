using System.Text;
using System.Text.Json.Nodes;
using MemVirt.Core.Addresses;
using MemVirt.Simulation.Machines;

namespace MemVirt.Simulation.Tests.Machines;

public sealed class MachineFileTests
{
    [Theory]
    [InlineData("tlb.l1i", "[]", "tlb.l1i", "at least one")]
    [InlineData("tlb.l1d", "[]", "tlb.l1d", "at least one")]
    [InlineData("tlb.l1i", "5", "tlb.l1i", "an array")]
    [InlineData("tlb.l2.0.ways", "0", "tlb.l2[0].ways", "from 1 to")]
    [InlineData("tlb.l2.0.ways", "-1", "tlb.l2[0].ways", "from 1 to")]
    [InlineData("tlb.l2.0.ways", "7", "tlb.l2[0].ways", "1536 entries are not a multiple of 7 ways")]
    [InlineData("tlb.l2.0.ways", "\"12\"", "tlb.l2[0].ways", "a whole number")]
    [InlineData("tlb.l2.0.ways", "12.5", "tlb.l2[0].ways", "whole number")]
    [InlineData("tlb.l2.0.ways", "3072", "tlb.l2[0].ways", "not a multiple")]
    [InlineData("tlb.l2.0.entries", "0", "tlb.l2[0].entries", "from 1 to 1048576")]
    [InlineData("tlb.l2.0.entries", "99999999999", "tlb.l2[0].entries", "from 1 to 1048576")]
    [InlineData("tlb.l2.0.entries", "2097152", "tlb.l2[0].entries", "from 1 to 1048576")]
    [InlineData("tlb.l2.0.entries", "1200", "tlb.l2[0].index", "power of two")]
    [InlineData("tlb.l2.0.index", "\"hash\"", "tlb.l2[0].index", "\"modulo\" or \"xor\"")]
    [InlineData("tlb.l2.0.replacement", "\"fifo\"", "tlb.l2[0].replacement", "\"lru\" or \"plru\" or \"random\"")]
    [InlineData("tlb.l2.0.seed", "-1", "tlb.l2[0].seed", "from 0 to")]
    [InlineData("tlb.l2.0.latency", "-7", "tlb.l2[0].latency", "from 0 to")]
    [InlineData("tlb.l2.0.latency", "1e300", "tlb.l2[0].latency", "from 0 to")]
    [InlineData("tlb.l2.0.latency", "\"NaN\"", "tlb.l2[0].latency", "a number")]
    [InlineData("tlb.l2.0.pageSizes", "[]", "tlb.l2[0].pageSizes", "empty")]
    [InlineData("tlb.l2.0.pageSizes", "[\"4m\"]", "tlb.l2[0].pageSizes[0]", "\"4k\" or \"2m\" or \"1g\"")]
    [InlineData("tlb.l2.0.pageSizes", "[\"4k\",\"4k\"]", "tlb.l2[0].pageSizes[1]", "twice")]
    [InlineData("tlb.l2.0.colour", "1", "tlb.l2[0].colour", "unknown field")]
    [InlineData("tlb.l3", "[]", "tlb.l3", "unknown field")]
    [InlineData("walkCaches.holds", "\"virtual\"", "walkCaches.holds", "\"hostPhysical\" or \"guestPhysical\"")]
    [InlineData("walkCaches.latency", "-1", "walkCaches.latency", "from 0 to")]
    [InlineData("walkCaches.pde.ways", "5", "walkCaches.pde.ways", "not a multiple")]
    [InlineData("walkCaches.pde.pageSizes", "[\"4k\"]", "walkCaches.pde.pageSizes", "unknown field")]
    [InlineData("caches.l1d.kib", "0", "caches.l1d.kib", "from 1 to")]
    [InlineData("caches.l1d.kib", "2097152", "caches.l1d.kib", "from 1 to 1048576")]
    [InlineData("caches.l1d.ways", "7", "caches.l1d.ways", "512 lines")]
    [InlineData("caches.l1d.latency", "-4", "caches.l1d.latency", "from 0 to")]
    [InlineData("caches.memoryLatency", "null", "caches.memoryLatency", "missing")]
    [InlineData("caches.walkerEntersAt", "\"llc\"", "caches.walkerEntersAt", "\"l1d\" or \"l2\"")]
    [InlineData("walkReferenceCycles", "-1", "walkReferenceCycles", "from 0 to")]
    [InlineData("costs.overlap", "1.5", "costs.overlap", "from 0 to 1")]
    [InlineData("costs.overlap", "-0.1", "costs.overlap", "from 0 to 1")]
    [InlineData("costs.exitCycles", "-1200", "costs.exitCycles", "from 0 to")]
    [InlineData("costs.handlerCycles.unsync", "1", "costs.handlerCycles.unsync", "unknown field")]
    [InlineData("name", "\"\"", "name", "empty")]
    [InlineData("name", "5", "name", "a string")]
    [InlineData("sources", "\"a book\"", "sources", "an object")]
    public void A_wrong_value_is_refused_with_its_path(string field, string value, string path, string problem)
        => AssertRefused(Skylake(field, node => node.Value = JsonNode.Parse(value)), path + ": ", problem);

    [Theory]
    [InlineData("name")]
    [InlineData("tlb")]
    [InlineData("tlb.l1i")]
    [InlineData("tlb.l1d")]
    [InlineData("tlb.l2.0.entries", "tlb.l2[0].entries")]
    [InlineData("tlb.l2.0.pageSizes", "tlb.l2[0].pageSizes")]
    [InlineData("walkCaches.holds")]
    [InlineData("walkCaches.pde.entries")]
    [InlineData("caches.l1d")]
    [InlineData("caches.llc.kib")]
    [InlineData("caches.llc.ways")]
    [InlineData("caches.llc.latency")]
    [InlineData("caches.memoryLatency")]
    [InlineData("caches.walkerEntersAt")]
    [InlineData("costs")]
    [InlineData("costs.baseCpi")]
    [InlineData("costs.overlap")]
    [InlineData("costs.guestFaultCycles")]
    [InlineData("costs.contextSwitchCycles")]
    [InlineData("costs.exitCycles")]
    [InlineData("costs.handlerCycles")]
    [InlineData("costs.handlerCycles.dirtyFaults")]
    public void A_missing_field_is_refused_with_its_path(string field, string? path = null)
        => AssertRefused(Skylake(field, node => node.Remove()), (path ?? field) + ": ", "missing; write");

    [Fact]
    public void The_price_of_a_walk_reference_is_needed_only_without_data_caches()
    {
        Assert.Equal(0, Parse(Skylake("walkReferenceCycles", node => node.Remove())).WalkReferenceCycles);
        JsonNode machine = Skylake("walkReferenceCycles", node => node.Remove());
        machine["caches"] = null;
        AssertRefused(machine, "walkReferenceCycles: ", "missing");
    }

    [Theory]
    [InlineData("tlb.l2")]
    [InlineData("walkCaches")]
    [InlineData("walkCaches.nestedTlb")]
    [InlineData("sources")]
    public void What_a_machine_may_lack_may_be_left_out(string field)
        => Assert.Equal("skylake", Parse(Skylake(field, node => node.Remove())).Name);

    [Theory]
    [InlineData("", "the file is empty")]
    [InlineData("{", "line 1")]
    [InlineData("{\"name\": 1, \"name\": 2}", "not valid JSON")]
    [InlineData("{\"name\": NaN}", "not valid JSON")]
    [InlineData("[]", "an object")]
    [InlineData("\u0000\u0001garbage", "not valid JSON")]
    public void What_is_no_JSON_object_is_refused_in_one_line(string text, string problem)
        => AssertOneLine(Assert.Throws<MachineException>(() => MachineFile.Parse(Encoding.UTF8.GetBytes(text), "my.json")), problem);

    [Fact]
    public void A_missing_file_and_a_directory_are_told_apart()
    {
        string folder = Path.GetTempPath();
        AssertOneLine(Assert.Throws<MachineException>(() => MachineFile.Load(Path.Combine(folder, "no-such.json"))), "no such machine file");
        AssertOneLine(Assert.Throws<MachineException>(() => MachineFile.Load(folder)), "is a directory");
    }

    [Fact]
    public void Every_choice_of_a_structure_is_read()
    {
        JsonNode machine = Skylake("tlb.l2.0", node => node.Value = JsonNode.Parse(
            """{ "pageSizes": ["2m", "1g"], "entries": 64, "ways": 4, "index": "modulo", "replacement": "random", "seed": 18446744073709551615, "latency": 8.5 }"""));
        TlbStructureDescription structure = Parse(machine).Tlb.L2[0];
        Assert.Equal([PageSize.Size2M, PageSize.Size1G], structure.PageSizes);
        Assert.Equal((64, 4, SetIndex.Modulo), (structure.Entries, structure.Ways!.Value, structure.Index));
        Assert.Equal((ReplacementPolicy.Random, ulong.MaxValue, 8.5), (structure.Replacement, structure.Seed, structure.Latency));
    }

    private static void AssertRefused(JsonNode machine, string path, string problem)
    {
        MachineException exception = Assert.Throws<MachineException>(() => Parse(machine));
        AssertOneLine(exception, problem);
        Assert.StartsWith("my.json: " + path, exception.Message, StringComparison.Ordinal);
    }

    private static void AssertOneLine(MachineException exception, string problem)
    {
        Assert.Contains(problem, exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);
    }

    private static MachineDescription Parse(JsonNode machine)
        => MachineFile.Parse(Encoding.UTF8.GetBytes(machine.ToJsonString()), "my.json");

    /// <summary>The skylake preset with one field changed.</summary>
    private static JsonNode Skylake(string field, Action<FieldOf> change)
    {
        JsonNode root = JsonNode.Parse(MachinePresets.Json("skylake").Span)!;
        string[] steps = field.Split('.');
        JsonNode parent = root;
        foreach (string step in steps[..^1])
        {
            parent = int.TryParse(step, out int index) ? parent[index]! : parent[step]!;
        }

        change(new FieldOf(parent, steps[^1]));
        return root;
    }

    private sealed class FieldOf(JsonNode parent, string name)
    {
        public JsonNode? Value
        {
            set
            {
                if (parent is JsonArray array)
                {
                    array[int.Parse(name, System.Globalization.CultureInfo.InvariantCulture)] = value;
                }
                else
                {
                    parent[name] = value;
                }
            }
        }

        public void Remove() => Assert.True(parent.AsObject().Remove(name));
    }
}
