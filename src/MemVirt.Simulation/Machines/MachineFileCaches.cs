namespace MemVirt.Simulation.Machines;

/// <summary>Reads the data caches of a machine file.</summary>
internal static class MachineFileCaches
{
    public static DataCachesDescription Read(JsonField caches)
    {
        const string Example = "{ \"kib\": 32, \"ways\": 8, \"latency\": 4 }";
        caches.Object("l1d", "l2", "llc", "memoryLatency", "walkerEntersAt");
        return new DataCachesDescription
        {
            L1d = Cache(caches.Required("l1d", Example)),
            L2 = Cache(caches.Required("l2", Example)),
            Llc = Cache(caches.Required("llc", Example)),
            MemoryLatency = caches.Required("memoryLatency", "the cycles of an access that misses everywhere").Number(),
            WalkerEntersAt = caches.Required("walkerEntersAt", "\"l1d\" (Intel) or \"l2\" (AMD)")
                .Word<WalkerEntry>(("l1d", WalkerEntry.L1d), ("l2", WalkerEntry.L2)),
        };
    }

    private static CacheDescription Cache(JsonField cache)
    {
        cache.Object("kib", "ways", "latency");
        int kib = cache.Required("kib", "its size in KiB").Count(MachineLimits.CacheKib);
        JsonField waysField = cache.Required("ways", "the ways of a set");
        int ways = waysField.Count(MachineLimits.CacheWays);
        int lines = kib * (1024 / MachineLimits.LineBytes);
        if (lines % ways != 0)
        {
            throw waysField.Error(
                $"{kib} KiB are {lines} lines of {MachineLimits.LineBytes} bytes, not a multiple of {ways} ways; "
                + "write ways that divide the lines");
        }

        return new CacheDescription
        {
            Kib = kib,
            Ways = ways,
            Latency = cache.Required("latency", "the cycles of a hit").Number(),
        };
    }
}
