using System.Runtime.CompilerServices;
using BenchmarkDotNet.Attributes;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Tlb;
using MemVirt.Core.Walking;

namespace MemVirt.Benchmarks;

/// <summary>
/// One translation by a source over 64 pages: 4 reads native, 24 under EPT and NPT, and what caches leave of the 24; beside them
/// the same reads with nothing around them, which no walk can beat.
/// </summary>
[MemoryDiagnoser]
public class WalkBenchmarks : IDisposable
{
    private const int Pages = 64;
    private const ulong Start = 0x7F12_4000_0000;
    private const ulong Offset = 2UL << 30;
    private const ulong Frame = 0x000F_FFFF_FFFF_F000;
    private readonly SparseMemory _memory = new();
    private TwoStageSource<X64FourLevel, IdentityStage, HostTableReader> _native;
    private TwoStageSource<X64FourLevel, NestedStage<EptFormat, HostTableReader>, HostTableReader> _ept;
    private TwoStageSource<X64FourLevel, NestedStage<EptFormat, HostTableReader>, HostTableReader> _eptCached;
    private TwoStageSource<X64FourLevel, NestedStage<NptFormat, HostTableReader>, HostTableReader> _npt;
    private ulong _nativeRoot;
    private ulong _guestRoot;
    private ulong _eptRoot;

    [GlobalSetup]
    public void Setup()
    {
        var reader = new HostTableReader(_memory);
        _nativeRoot = new Tables(_memory, new FrameAllocator(0x1000, 1 << 20), 0).Map<X64FourLevel>((Start, 1UL << 30, Pages));
        _guestRoot = new Tables(_memory, new FrameAllocator(1 << 20, 1 << 30), Offset).Map<X64FourLevel>((Start, 1UL << 30, Pages));
        _eptRoot = new Tables(_memory, new FrameAllocator(1 << 20, 1 << 30), 0)
            .Map<EptFormat>((1 << 20, Offset + (1 << 20), 16), (1UL << 30, Offset + (1UL << 30), Pages));
        _native = new(default, reader) { Root = _nativeRoot };
        _ept = new(new NestedStage<EptFormat, HostTableReader>(reader, _eptRoot, 1), reader) { Root = _guestRoot };
        ulong nptRoot = new Tables(_memory, new FrameAllocator(2UL << 30, 3UL << 30), 0)
            .Map<NptFormat>((1 << 20, Offset + (1 << 20), 16), (1UL << 30, Offset + (1UL << 30), Pages));
        _npt = new(new NestedStage<NptFormat, HostTableReader>(reader, nptRoot, 1), reader) { Root = _guestRoot };
        var nestedTlb = new NestedTlb(new TagArray(new SetGeometry(128, 4)), PageSize.Size4K);
        var caches = new PagingStructureCaches(CachedTable.HostPhysical, Array(2), Array(4), Array(32));
        _eptCached = new(new NestedStage<EptFormat, HostTableReader>(reader, _eptRoot, 1, nestedTlb), reader, TableKind.Guest, caches)
        {
            Root = _guestRoot,
            Context = 1,
        };
    }

    /// <summary>Mask, add, load, four times: no rights, no faults, no large pages.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Pages)]
    public ulong FourLoads()
    {
        ulong sum = 0;
        for (ulong page = 0; page < Pages; page++)
        {
            sum += LastOfFour(_nativeRoot, Start + (page << 12)) & Frame;
        }

        return sum;
    }

    /// <summary>The two-dimensional walk's 24 loads, each of which gives the address of the next: nothing else.</summary>
    [Benchmark(OperationsPerInvoke = Pages)]
    public ulong TwentyFourLoads()
    {
        ulong sum = 0;
        for (ulong page = 0; page < Pages; page++)
        {
            ulong address = Start + (page << 12);
            ulong entry = _guestRoot;
            for (int shift = 39; shift >= 12; shift -= 9)
            {
                ulong entryAddress = (entry & Frame) + ((address >> shift & 511) * 8);
                entry = _memory.Read((LastOfFour(_eptRoot, entryAddress) & Frame) + (entryAddress & ~Frame));
            }

            sum += LastOfFour(_eptRoot, entry & Frame) & Frame;
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Pages)]
    public ulong Native() => Sum(ref _native);

    [Benchmark(OperationsPerInvoke = Pages)]
    public ulong Ept() => Sum(ref _ept);

    [Benchmark(OperationsPerInvoke = Pages)]
    public ulong Npt() => Sum(ref _npt);

    [Benchmark(OperationsPerInvoke = Pages)]
    public ulong EptWithCaches() => Sum(ref _eptCached);

    [GlobalCleanup]
    public void Dispose()
    {
        _memory.Dispose();
        GC.SuppressFinalize(this);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong LastOfFour(ulong root, ulong address)
    {
        ulong entry = root;
        for (int shift = 39; shift >= 12; shift -= 9)
        {
            entry = _memory.Read((entry & Frame) + ((address >> shift & 511) * 8));
        }

        return entry;
    }

    private static TagArray Array(int entries) => new(new SetGeometry(entries, Math.Min(entries, 4)));

    private static ulong Sum<TSource>(ref TSource source)
        where TSource : struct, ITranslationSource
    {
        ulong sum = 0;
        for (ulong page = 0; page < Pages; page++)
        {
            sum += source.Translate((Start + (page << 12)) & 0xFFFF_FFFF_FFFF, AccessRights.Read).HostPage;
        }

        return sum;
    }
}
