using BenchmarkDotNet.Attributes;
using MemVirt.Core.Tlb;

namespace MemVirt.Benchmarks;

/// <summary>Look-ups in 1,536 entries of 8 ways, the set taken in turn: first way, last way, absent. Scalar search beside.</summary>
[MemoryDiagnoser]
public unsafe class TlbBenchmarks
{
    private const int Sets = 192;
    private const int Ways = 8;
    private const ulong Mark = 1UL << 50;
    private readonly TagArray _lru = new(new SetGeometry(Sets * Ways, Ways));
    private readonly TagArray _random = new(new SetGeometry(Sets * Ways, Ways), Replacement.Random);
    private readonly TaggedTlb _tagged = new(Sets * Ways, Ways);
    private readonly ulong[] _scalar = GC.AllocateArray<ulong>(Sets * Ways, pinned: true);

    [GlobalSetup]
    public void Setup()
    {
        for (ulong number = 0; number < Sets * Ways; number++)
        {
            _tagged.Insert(number << 12, Core.Addresses.PageSize.Size4K, 1, number);
            _lru.Insert(number | Mark, number, number);
            _random.Insert(number | Mark, number, number);
            _scalar[((int)(number % Sets) * Ways) + (int)(number / Sets)] = number | Mark;
        }
    }

    /// <summary>A hit of the tagged TLB, of the most recent entry of each set in turn.</summary>
    [Benchmark(OperationsPerInvoke = Sets)]
    public ulong TaggedHit()
    {
        ulong sum = 0;
        for (ulong number = Sets * (Ways - 1); number < Sets * Ways; number++)
        {
            _tagged.TryFind(number << 12, 1, out ulong payload);
            sum += payload;
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Sets)]
    public int MostRecentHit() => Sum(_lru, Sets * (Ways - 1));

    [Benchmark(OperationsPerInvoke = Sets)]
    public int DeepHitThatReorders()
    {
        _deep = (_deep + 1) % Ways;
        return Sum(_lru, Sets * (ulong)_deep);
    }

    [Benchmark(OperationsPerInvoke = Sets)]
    public int DeepHitInPlace() => Sum(_random, Sets * (Ways - 1));

    [Benchmark(OperationsPerInvoke = Sets)]
    public int Miss() => Sum(_lru, Sets * Ways);

    [Benchmark(Baseline = true, OperationsPerInvoke = Sets)]
    public int ScalarDeepHit()
    {
        int sum = 0;
        fixed (ulong* tags = _scalar)
        {
            for (ulong set = 0; set < Sets; set++)
            {
                sum += ScalarTagSearch.Find(tags + ((int)set * Ways), Ways, (set + (Sets * (Ways - 1))) | Mark);
            }
        }

        return sum;
    }

    private int _deep;

    private static int Sum(TagArray array, ulong first)
    {
        int sum = 0;
        for (ulong number = first; number < first + Sets; number++)
        {
            sum += array.Find(number | Mark, number);
        }

        return sum;
    }
}
