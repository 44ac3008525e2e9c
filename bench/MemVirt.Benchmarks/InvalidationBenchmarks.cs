using BenchmarkDotNet.Attributes;
using MemVirt.Core;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Benchmarks;

/// <summary>What forgets translations and what only switches them, on a virtual processor whose TLB is full; walk caches present.</summary>
[MemoryDiagnoser]
public class InvalidationBenchmarks : IDisposable
{
    private const int Operations = 256;
    private const int Pages = 2048;
    private const ulong Start = 0x7F12_4000_0000;
    private const ulong NoFlush = 1UL << 63;
    private readonly SparseMemory _memory = new();
    private PagingUnit<PagingSource<IdentityStage, HostTableReader>> _processor = null!;
    private ulong _root;

    [GlobalSetup]
    public void Setup()
    {
        _root = new Tables(_memory, new FrameAllocator(0x1000, 1 << 30), 0).Map<X64FourLevel>((Start, 1UL << 30, Pages));
        var registers = new PagingRegisters
        {
            Cr0 = Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect,
            Cr3 = _root | 1,
            Cr4 = Cr4.PhysicalAddressExtension | Cr4.PageGlobalEnable | Cr4.ProcessContextEnable,
            Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
        };
        _processor = MmuFactory.NativeProcessor(_memory, ProcessorFeatures.Everything, registers);
        for (ulong page = 0; page < Pages; page++)
        {
            _processor.Translate(Start + (page << 12), MemoryAccess.Read, out _);
        }
    }

    [Benchmark(OperationsPerInvoke = Operations)]
    public void Invlpg()
    {
        for (ulong page = 0; page < Operations; page++)
        {
            _processor.Invlpg(Start + (page << 12));
        }
    }

    [Benchmark(OperationsPerInvoke = Operations)]
    public void InvpcidAddress()
    {
        for (ulong page = 0; page < Operations; page++)
        {
            _processor.Invpcid(0, 1, Start + (page << 12));
        }
    }

    [Benchmark(OperationsPerInvoke = Operations)]
    public void InvvpidAddress()
    {
        for (ulong page = 0; page < Operations; page++)
        {
            _processor.Mmu.Invalidate(TlbInvalidation.InvvpidAddress(0, GuestVirtualAddress.Create(Start + (page << 12))));
        }
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Operations)]
    public void MovCr3WithoutFlush()
    {
        for (ulong switches = 0; switches < Operations; switches++)
        {
            _processor.MoveToCr3(_root | (switches & 3) | NoFlush);
        }
    }

    [Benchmark(OperationsPerInvoke = Operations)]
    public void MovCr3()
    {
        for (ulong switches = 0; switches < Operations; switches++)
        {
            _processor.MoveToCr3(_root | (switches & 3));
        }
    }

    [Benchmark(OperationsPerInvoke = Operations)]
    public void InvpcidAll()
    {
        for (ulong flush = 0; flush < Operations; flush++)
        {
            _processor.Invpcid(2, 0, 0);
        }
    }

    [Benchmark(OperationsPerInvoke = Operations)]
    public void InveptAll()
    {
        for (ulong flush = 0; flush < Operations; flush++)
        {
            _processor.Mmu.Invalidate(TlbInvalidation.InveptAll());
        }
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _memory.Dispose();
        GC.SuppressFinalize(this);
    }
}
