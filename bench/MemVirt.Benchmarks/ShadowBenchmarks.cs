using BenchmarkDotNet.Attributes;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;
using MemVirt.Core.Shadow;

namespace MemVirt.Benchmarks;

/// <summary>A shadow fault that fills one entry, and one that fills its group of eight; the memory is taken away again meanwhile.</summary>
[MemoryDiagnoser]
public class ShadowBenchmarks : IDisposable
{
    private const int Pages = 512;
    private const ulong Start = 0x7F12_4000_0000;
    private const ulong Data = 1UL << 30;
    private readonly SparseMemory _host = new();
    private GuestMemory _guest = null!;
    private ShadowPager _pager = null!;
    private ulong _leafTable;

    [GlobalSetup]
    public void Setup()
    {
        var frames = new FrameAllocator(1UL << 20, 1UL << 40);
        _guest = new GuestMemory(_host, frames, PageSize.Size4K);
        _pager = new ShadowPager(_host, _guest, frames);
        var space = new Space(_guest, new FrameAllocator(1UL << 20, 1UL << 30));
        ulong root = space.AllocateTable();
        for (ulong page = 0; page < Pages; page++)
        {
            ulong entry = PageTableEditor<X64FourLevel, Space>.EnsureEntry(ref space, root, Start + (page << 12), 0, out _);
            _leafTable = entry & ~0xFFFUL;
            _guest.Write(entry, X64FourLevel.LeafEntry(Data + (page << 12), 0, AccessRights.All, dirty: true));
            _guest.Back(Data + (page << 12));
        }

        _pager.LoadRoot(root);
        FillGroup();
    }

    /// <summary>One fault in each group of eight, the other seven entries not accessed and so not prefetched.</summary>
    [Benchmark(OperationsPerInvoke = Pages / 8)]
    public void FillOne()
    {
        SetNeighbours(X64FourLevel.AccessedBit, set: false);
        Fault();
    }

    [Benchmark(OperationsPerInvoke = Pages / 8)]
    public void FillGroup()
    {
        SetNeighbours(X64FourLevel.AccessedBit, set: true);
        Fault();
    }

    /// <summary>What the others do besides their faults: taking the memory away and changing the guest's entries.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Pages / 8)]
    public void Unfill()
    {
        SetNeighbours(X64FourLevel.AccessedBit, set: false);
        _pager.Unmap(Data, Pages << 12);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _guest?.Dispose();
        _host.Dispose();
        GC.SuppressFinalize(this);
    }

    private void Fault()
    {
        _pager.Unmap(Data, Pages << 12);
        for (ulong page = 0; page < Pages; page += 8)
        {
            _pager.HandleFault(Start + (page << 12), isStore: true, notPresent: true);
        }
    }

    private void SetNeighbours(ulong bit, bool set)
    {
        for (ulong page = 0; page < Pages; page++)
        {
            ulong entry = _guest.Read(_leafTable + (page * 8));
            _guest.Write(_leafTable + (page * 8), set || page % 8 == 0 ? entry | bit : entry & ~bit);
        }
    }

    private readonly struct Space(GuestMemory memory, FrameAllocator frames) : ITableSpace
    {
        public ulong Read(ulong entryAddress) => memory.Read(entryAddress);

        public void Write(ulong entryAddress, ulong entry, int level) => memory.Write(entryAddress, entry);

        public bool TryReplace(ulong entryAddress, ulong expected, ulong replacement, int level)
            => memory.TryReplace(entryAddress, expected, replacement);

        public ulong AllocateTable() => frames.Allocate(PageSize.Size4K);
    }
}
