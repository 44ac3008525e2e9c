using MemVirt.Core.Addresses;
using MemVirt.Simulation.Machines;

namespace MemVirt.Simulation.Tests.Support;

/// <summary>Machine files for tests, beyond the presets.</summary>
internal static class TestMachines
{
    /// <summary>Small structures of every kind, so that short traces evict from each: xor, PLRU, random, several sizes, AMD's walk caches.</summary>
    internal const string Odd = """
        { "name": "odd",
          "tlb": { "l1i": [ { "pageSizes": ["4k"], "entries": 6, "ways": 2, "replacement": "plru" },
                            { "pageSizes": ["2m", "1g"], "entries": 3 } ],
                   "l1d": [ { "pageSizes": ["4k", "2m"], "entries": 8, "ways": 4, "index": "xor" },
                            { "pageSizes": ["1g"], "entries": 2, "replacement": "random", "seed": 7 } ],
                   "l2": [ { "pageSizes": ["4k", "2m"], "entries": 24, "ways": 4, "replacement": "random", "seed": 3, "latency": 7 } ] },
          "walkCaches": { "holds": "guestPhysical", "latency": 1, "pml4e": { "entries": 2 }, "pdpte": { "entries": 3 },
                          "pde": { "entries": 4, "ways": 2 }, "nestedPml4e": { "entries": 1 }, "nestedPdpte": { "entries": 2 },
                          "nestedPde": { "entries": 4, "ways": 2, "replacement": "plru" }, "nestedTlb": { "entries": 6, "ways": 3 } },
          "caches": { "l1d": { "kib": 1, "ways": 2, "latency": 4 }, "l2": { "kib": 3, "ways": 3, "latency": 14 },
                      "llc": { "kib": 16, "ways": 4, "latency": 54 }, "memoryLatency": 200, "walkerEntersAt": "l2" },
          "walkReferenceCycles": 14,
          "costs": { "baseCpi": 0.7, "overlap": 0.6, "guestFaultCycles": 1200, "contextSwitchCycles": 1500, "exitCycles": 1200,
                     "handlerCycles": { "guestPageFaults": 400, "secondStageFaults": 1800, "shadowFaults": 2000, "dirtyFaults": 1200,
                                        "protectedTableWrites": 3000, "unsyncs": 800, "contextSwitches": 600 } } }
        """;

    /// <summary>The same structures with Intel's walk caches and no second-level TLB.</summary>
    internal static string OddIntel => Odd
        .Replace("\"odd\"", "\"odd-intel\"", StringComparison.Ordinal)
        .Replace("guestPhysical", "hostPhysical", StringComparison.Ordinal)
        .Replace("\"walkerEntersAt\": \"l2\"", "\"walkerEntersAt\": \"l1d\"", StringComparison.Ordinal)
        .Replace(
            "\"l2\": [ { \"pageSizes\": [\"4k\", \"2m\"], \"entries\": 24, \"ways\": 4, \"replacement\": \"random\", \"seed\": 3, \"latency\": 7 } ]",
            "\"l2\": []",
            StringComparison.Ordinal);

    internal static PageSize Size(string name) => name switch
    {
        "4k" => PageSize.Size4K,
        "2m" => PageSize.Size2M,
        _ => PageSize.Size1G,
    };

    internal static MachineDescription Parse(string json) => MachineFile.Parse(System.Text.Encoding.UTF8.GetBytes(json), "test machine");
}
