using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using MemVirt.Simulation;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Benchmarks;

/// <summary>
/// One regime of a comparison on one thread, a reference: a compiler and a hash join on Skylake, decoding left out;
/// beside them the least and the plainest that could be done with each reference.
/// </summary>
[MemoryDiagnoser]
public class SimulationBenchmarks
{
    private const int References = 1_000_000;
    private readonly MachineDescription _withCaches = MachinePresets.Load("skylake");
    private readonly Dictionary<ulong, long> _pages = [];
    private MemoryReference[] _compile = [];
    private MemoryReference[] _hashJoin = [];

    [GlobalSetup]
    public void Setup()
    {
        _compile = Traces.Load("compile", References);
        _hashJoin = Traces.Load("hashjoin", References);
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = References)]
    public long CompileReadOnly()
    {
        ulong sum = 0;
        foreach (MemoryReference reference in _compile)
        {
            sum += reference.LinearAddress48 >> 12;
        }

        return (long)sum;
    }

    /// <summary>One look-up of the page in a dictionary of all pages.</summary>
    [Benchmark(OperationsPerInvoke = References)]
    public long CompileDictionary()
    {
        _pages.Clear();
        foreach (MemoryReference reference in _compile)
        {
            CollectionsMarshal.GetValueRefOrAddDefault(_pages, reference.LinearAddress48 >> 12, out _)++;
        }

        return _pages.Count;
    }

    [Benchmark(OperationsPerInvoke = References)]
    public long CompileNative() => Run(_compile, Regime.Native, _withCaches with { Caches = null });

    [Benchmark(OperationsPerInvoke = References)]
    public long CompileShadow() => Run(_compile, Regime.Shadow, _withCaches with { Caches = null });

    [Benchmark(OperationsPerInvoke = References)]
    public long CompileEpt() => Run(_compile, Regime.Ept, _withCaches with { Caches = null });

    [Benchmark(OperationsPerInvoke = References)]
    public long CompileNativeWithDataCaches() => Run(_compile, Regime.Native, _withCaches);

    [Benchmark(OperationsPerInvoke = References)]
    public long HashJoinNative() => Run(_hashJoin, Regime.Native, _withCaches with { Caches = null });

    [Benchmark(OperationsPerInvoke = References)]
    public long HashJoinEpt() => Run(_hashJoin, Regime.Ept, _withCaches with { Caches = null });

    private static long Run(MemoryReference[] references, Regime regime, MachineDescription machine)
        => Comparison.Run([new DecodedTrace(references)], new ComparisonOptions { Machines = [machine], Regimes = [regime] })[0]
            .Regimes[0].Walks;
}
