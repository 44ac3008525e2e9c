using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Tests.Support;

/// <summary>Short traces with the features that matter: locality, strides, far jumps, crossings, both halves of the address space.</summary>
internal static class RandomTraces
{
    internal static MemoryReference[] Create(int seed, int references)
    {
        var random = new Random(seed);
        var regions = new ulong[random.Next(2, 9)];
        for (int i = 0; i < regions.Length; i++)
        {
            ulong canonical = (ulong)random.NextInt64(0, 1L << 47) & ~0xFFFFFFUL;
            regions[i] = random.Next(4) == 0 ? canonical | 0xFFFF_8000_0000_0000 : canonical;
        }

        int pagesPerRegion = 1 << random.Next(2, 11);
        var trace = new MemoryReference[references];
        ulong fetch = regions[0];
        for (int i = 0; i < references; i++)
        {
            var kind = (ReferenceKind)random.Next(3);
            ulong region = regions[random.Next(regions.Length)];
            ulong page = random.Next(3) == 0 ? (ulong)random.Next(pagesPerRegion) : (ulong)random.Next(Math.Min(8, pagesPerRegion));
            ulong offset = random.Next(12) == 0 ? 0xFFCUL : (ulong)random.Next(0x1000);
            ulong address = region + (page << 12) + offset;
            if (kind == ReferenceKind.Fetch)
            {
                fetch = random.Next(20) == 0 ? address : fetch + (ulong)random.Next(1, 16);
                address = fetch;
            }

            trace[i] = new MemoryReference(kind, address, random.Next(60) == 0 ? random.Next(1, 9000) : 1 << random.Next(5));
        }

        return trace;
    }
}
