using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;
using MemVirt.Core.Shadow;
using MemVirt.Core.Sources;

namespace MemVirt.Core.Tests.Shadow;

/// <summary>A guest under a shadow pager, its tables edited through the pager's watch.</summary>
internal sealed class ShadowBench : IDisposable
{
    private Space _space;

    internal ShadowBench(PageSize backing = PageSize.Size4K, ShadowPoolOptions? pool = null, GuestRules? rules = null)
    {
        var hostFrames = new FrameAllocator(1UL << 20, 1UL << 40);
        Guest = new GuestMemory(Host, hostFrames, backing);
        Pager = new ShadowPager(Host, Guest, hostFrames, pool, rules);
        _space = new Space(this, new FrameAllocator(0x10_0000, 1UL << 30));
        Root = _space.AllocateTable();
    }

    internal SparseMemory Host { get; } = new();

    internal GuestMemory Guest { get; }

    internal ShadowPager Pager { get; }

    internal ulong Root { get; }

    internal int Unsyncs { get; set; }

    internal int Protected { get; set; }

    internal int Zaps { get; set; }

    public void Dispose()
    {
        Guest.Dispose();
        Host.Dispose();
    }

    internal ulong NewTable() => _space.AllocateTable();

    internal ulong HpaOf(ulong gpa) => Guest.TryResolve(gpa, out ulong hpa) ? hpa : throw new InvalidOperationException("Not backed.");

    internal ulong EnsureEntry(ulong address, int level, ulong? root = null)
        => PageTableEditor<X64FourLevel, Space>.EnsureEntry(ref _space, root ?? Root, address, level, out _);

    /// <summary>What a literal walk of the shadow tables finds: a present leaf of any level, or nothing.</summary>
    internal ulong? LeafOf(ulong address)
    {
        ulong entry = Pager.ShadowRoot;
        for (int shift = 39; shift >= 12; shift -= 9)
        {
            entry = Host.Read((entry & 0x000F_FFFF_FFFF_F000) + (((address >> shift) & 511) * 8));
            if ((entry & 1) == 0 || (entry & 0x80) != 0)
            {
                return (entry & 1) == 0 ? null : entry;
            }
        }

        return entry;
    }

    internal GuestTableWrite Write(ulong entry, ulong value, int level)
    {
        Guest.Write(entry, value);
        GuestTableWrite cost = Pager.GuestTableWritten(entry);
        Unsyncs += cost == GuestTableWrite.Unsync ? 1 : 0;
        Protected += cost is GuestTableWrite.Protected or GuestTableWrite.ProtectedAndZapped ? 1 : 0;
        Zaps += cost == GuestTableWrite.ProtectedAndZapped ? 1 : 0;
        return cost;
    }

    internal readonly struct Space(ShadowBench bench, FrameAllocator frames) : ITableSpace
    {
        public ulong Read(ulong entryAddress) => bench.Guest.Read(entryAddress);

        public void Write(ulong entryAddress, ulong entry, int level) => bench.Write(entryAddress, entry, level);

        public bool TryReplace(ulong entryAddress, ulong expected, ulong replacement, int level)
        {
            if (bench.Guest.Read(entryAddress) != expected)
            {
                return false;
            }

            bench.Write(entryAddress, replacement, level);
            return true;
        }

        public ulong AllocateTable()
        {
            ulong table = frames.Allocate(PageSize.Size4K);
            return table;
        }
    }
}
