using MemVirt.Core.Addresses;
using MemVirt.Core.Tlb;
using MemVirt.Simulation.Engine;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Tests.Support;

namespace MemVirt.Simulation.Tests.Engine;

/// <summary>Answers, evictions and cycles are those of structures that are probed one by one, in their order, beside the level.</summary>
public class TlbLevelTests
{
    private const int Steps = 40_000;
    private static readonly PageSize[] Sizes = [PageSize.Size4K, PageSize.Size2M, PageSize.Size1G];

    [Theory]
    [InlineData(ReplacementPolicy.Lru)]
    [InlineData(ReplacementPolicy.Plru)]
    public void Answers_are_those_of_probing_everything(ReplacementPolicy replacement)
    {
        for (int seed = 1; seed <= 10; seed++)
        {
            TlbStructureDescription[] structures =
            [
                Describe(16, 4, replacement, 1, PageSize.Size4K), Describe(8, 4, replacement, 2, PageSize.Size2M, PageSize.Size1G),
            ];
            Compare(structures, new Random(seed), $"seed {seed}");
        }
    }

    private static TlbStructureDescription Describe(int entries, int ways, ReplacementPolicy replacement, double latency, params PageSize[] sizes)
        => new() { Entries = entries, Ways = ways, Replacement = replacement, Latency = latency, PageSizes = sizes };

    private static void Compare(TlbStructureDescription[] structures, Random random, string seed)
    {
        var level = new TlbLevel(structures, Sizes);
        TagArray[] arrays = [.. structures.Select(Structures.Build)];
        (TagArray Array, PageSize Size)[] probes = [(arrays[0], Sizes[0]), (arrays[1], Sizes[1]), (arrays[1], Sizes[2])];
        double cycles = 0;
        for (int step = 0; step < Steps; step++)
        {
            // Few pages, so that pages of different sizes overlap.
            ulong address = ((ulong)random.Next(2) << 30) | ((ulong)random.Next(3) << 21) | ((ulong)random.Next(6) << 12);
            uint context = (uint)random.Next(1, 3);
            bool store = random.Next(3) == 0;
            switch (random.Next(100))
            {
                case < 80:
                    bool expected = Find(probes, address, context, store, out ulong payload, out PageSize size, ref cycles);
                    bool actual = level.TryFind(address, context, store, out ulong given, out PageSize givenSize);
                    Assert.True((expected, payload, size) == (actual, given, givenSize), $"{seed}, step {step}: 0x{address:x}");
                    break;
                case < 95:
                    PageSize walked = Sizes[random.Next(3)];
                    ulong host = (ulong)random.Next(1, 1 << 20) << 30;
                    ulong storeOk = (ulong)random.Next(2);
                    level.Fill(address, context, host, walked, storeOk);
                    (TagArray array, PageSize entered) = probes[walked.LeafLevel()];
                    array.Insert(TlbTag.Create(address >> (int)entered, entered, context), address >> (int)entered, host | storeOk);
                    break;
                case < 99:
                    level.Drop(address, context);
                    foreach ((TagArray dropped, PageSize of) in probes)
                    {
                        dropped.Remove(TlbTag.Create(address >> (int)of, of, context), address >> (int)of);
                    }

                    break;
                default:
                    level.Clear();
                    arrays[0].Clear();
                    arrays[1].Clear();
                    break;
            }
        }

        Assert.Equal(cycles, level.HitCycles);
    }

    private static bool Find(
        (TagArray Array, PageSize Size)[] probes, ulong address, uint context, bool store, out ulong payload, out PageSize size, ref double cycles)
    {
        foreach ((TagArray array, PageSize of) in probes)
        {
            ulong number = address >> (int)of;
            int index = array.Find(TlbTag.Create(number, of, context), number);
            if (index < 0)
            {
                continue;
            }

            (payload, size) = (array.Payload(index), of);
            bool isHit = !store || (payload & TlbLevel.StoreOk) != 0;
            if (!isHit)
            {
                array.Remove(TlbTag.Create(number, of, context), number);
            }

            cycles += !isHit ? 0 : of == PageSize.Size4K ? 1 : 2;
            return isHit;
        }

        (payload, size) = (0, PageSize.Size4K);
        return false;
    }
}
