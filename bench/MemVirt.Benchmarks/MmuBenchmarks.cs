using BenchmarkDotNet.Attributes;
using MemVirt.Core;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Diagnostics;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Benchmarks;

/// <summary>A hit of the front over 64 pages: independent ones, and each address made from the last answer.</summary>
[MemoryDiagnoser]
public class MmuBenchmarks : IDisposable
{
    private const int Operations = 4096;
    private const ulong Start = 0x7F12_4000_0000;
    private const ulong Chain = 1UL << 31;
    private readonly SparseMemory _memory = new();
    private readonly MmuMeter _meter = new("bench");
    private readonly Dictionary<ulong, ulong> _dictionary = [];
    private readonly GuestVirtualAddress[] _addresses = new GuestVirtualAddress[Operations];
    private readonly HostPhysicalAddress[] _answers = new HostPhysicalAddress[Operations];
    private Mmu<TwoStageSource<X64FourLevel, IdentityStage, HostTableReader>> _chain = null!;
    private Mmu<TwoStageSource<X64FourLevel, IdentityStage, HostTableReader>> _mmu = null!;

    [GlobalSetup]
    public void Setup()
    {
        ulong root = new Tables(_memory, new FrameAllocator(0x1000, 1 << 30), 0).Map<X64FourLevel>((Start, 1UL << 30, 64));
        _mmu = MmuFactory.Native(_memory, root);
        (ulong, ulong, int)[] chain = [.. Enumerable.Range(0, 64).Select(page => (Chain + ((ulong)page << 12), Chain + ((ulong)((page + 1) % 64) << 12), 1))];
        _chain = MmuFactory.Native(_memory, new Tables(_memory, new FrameAllocator(0x100_0000, 1 << 30), 0).Map<X64FourLevel>(chain));
        for (int i = 0; i < Operations; i++)
        {
            ulong address = Start + (((ulong)i * 0x9E37 % 64) << 12) + ((ulong)i * 8 & 0xFFF);
            _addresses[i] = GuestVirtualAddress.Create(address);
            _dictionary[address >> 12] = (1UL << 30) + ((address - Start) & ~0xFFFUL);
        }

        Throughput();
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Operations)]
    public ulong Dictionary()
    {
        ulong sum = 0;
        foreach (GuestVirtualAddress gva in _addresses)
        {
            sum += _dictionary[gva.Value >> 12] | (gva.Value & 0xFFF);
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Operations)]
    public ulong Throughput()
    {
        ulong sum = 0;
        foreach (GuestVirtualAddress gva in _addresses)
        {
            _mmu.Translate(gva, MemoryAccess.Read, out HostPhysicalAddress hpa);
            sum += hpa.Value;
        }

        return sum;
    }

    /// <summary>Past the front: what a hit of the TLB behind it costs.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public ulong BeyondFront() => SumBeyondFront();

    /// <summary>The same with a meter to which nobody listens.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public ulong BeyondFrontWithMeter()
    {
        _mmu.Meter = _meter;
        ulong sum = SumBeyondFront();
        _mmu.Meter = null;
        return sum;
    }

    [Benchmark(OperationsPerInvoke = Operations)]
    public ulong Batch()
    {
        _mmu.Translate(_addresses, MemoryAccess.Read, _answers, out _);
        return _answers[0].Value;
    }

    /// <summary>Each page lies where the next address is, so that the answer is the next question.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public ulong DependentChain()
    {
        ulong last = Chain;
        for (int i = 0; i < Operations; i++)
        {
            _chain.Translate(GuestVirtualAddress.Create(last), MemoryAccess.Read, out HostPhysicalAddress hpa);
            last = hpa.Value;
        }

        return last;
    }

    private ulong SumBeyondFront()
    {
        ulong sum = 0;
        foreach (GuestVirtualAddress gva in _addresses)
        {
            sum += _mmu.TranslateBeyondFront(gva, MemoryAccess.Read).HostPage;
        }

        return sum;
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _meter.Dispose();
        _memory.Dispose();
        GC.SuppressFinalize(this);
    }
}
