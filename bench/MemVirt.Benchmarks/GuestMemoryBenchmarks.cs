using BenchmarkDotNet.Attributes;
using MemVirt.Core;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Benchmarks;

/// <summary>Values and pages through an MMU whose front holds them, beside a copy of the same size without one.</summary>
[MemoryDiagnoser]
public class GuestMemoryBenchmarks : IDisposable
{
    private const int Pages = 16;
    private const int Values = 4096;
    private const ulong Start = 0x7F12_4000_0000;
    private readonly SparseMemory _memory = new();
    private readonly byte[] _buffer = new byte[4096];
    private readonly byte[] _plain = GC.AllocateArray<byte>(Pages * 4096, pinned: true);
    private readonly GuestVirtualAddress[] _addresses = new GuestVirtualAddress[Values];
    private GuestVirtualMemory _guest = null!;

    [GlobalSetup]
    public void Setup()
    {
        ulong root = new Tables(_memory, new FrameAllocator(0x1000, 1 << 30), 0).Map<X64FourLevel>((Start, 1UL << 30, Pages));
        _guest = new(MmuFactory.Native(_memory, root), _memory);
        for (int i = 0; i < Values; i++)
        {
            _addresses[i] = GuestVirtualAddress.Create(Start + (((ulong)i * 0x9E37 % Pages) << 12) + ((ulong)i * 8 & 0xFF8));
            _guest.Write(_addresses[i], (ulong)i);
        }
    }

    [Benchmark(OperationsPerInvoke = Values)]
    public ulong Read8()
    {
        ulong sum = 0;
        foreach (GuestVirtualAddress gva in _addresses)
        {
            _guest.Read(gva, out ulong value);
            sum += value;
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Values)]
    public void Write8()
    {
        foreach (GuestVirtualAddress gva in _addresses)
        {
            _guest.Write(gva, gva.Value);
        }
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Pages)]
    public void SpanCopy()
    {
        for (int page = 0; page < Pages; page++)
        {
            _plain.AsSpan(page * 4096, 4096).CopyTo(_buffer);
        }
    }

    [Benchmark(OperationsPerInvoke = Pages)]
    public void Copy4K()
    {
        for (ulong page = 0; page < Pages; page++)
        {
            _guest.Read(GuestVirtualAddress.Create(Start + (page << 12)), _buffer, out _);
        }
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _memory.Dispose();
        GC.SuppressFinalize(this);
    }
}
