using MemVirt.Core.Addresses;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;
using MemVirt.Core.Shadow;

namespace MemVirt.Simulation.Engine;

/// <summary>Tables in host memory: native's, and the second stage's.</summary>
internal readonly struct HostTableSpace(SparseMemory memory, FrameAllocator frames) : ITableSpace
{
    public ulong Read(ulong entryAddress) => memory.Read(entryAddress);

    public void Write(ulong entryAddress, ulong entry, int level) => memory.Write(entryAddress, entry);

    public bool TryReplace(ulong entryAddress, ulong expected, ulong replacement, int level)
        => memory.TryReplace(entryAddress, expected, replacement);

    public ulong AllocateTable() => frames.Allocate(PageSize.Size4K);
}

/// <summary>A guest's tables in its own memory, unwatched.</summary>
internal readonly struct GuestTableSpace(GuestMemory memory, FrameAllocator frames) : ITableSpace
{
    public ulong Read(ulong entryAddress) => memory.Read(entryAddress);

    public void Write(ulong entryAddress, ulong entry, int level) => memory.Write(entryAddress, entry);

    public bool TryReplace(ulong entryAddress, ulong expected, ulong replacement, int level)
        => memory.TryReplace(entryAddress, expected, replacement);

    public ulong AllocateTable() => frames.Allocate(PageSize.Size4K);
}

/// <summary>A guest's tables whose writes the shadow pager watches.</summary>
internal readonly struct ShadowedTableSpace(GuestTableSpace tables, ShadowWriteWatch watch) : ITableSpace
{
    public ulong Read(ulong entryAddress) => tables.Read(entryAddress);

    public void Write(ulong entryAddress, ulong entry, int level)
    {
        tables.Write(entryAddress, entry, level);
        watch.Written(entryAddress, level);
    }

    public bool TryReplace(ulong entryAddress, ulong expected, ulong replacement, int level)
    {
        if (!tables.TryReplace(entryAddress, expected, replacement, level))
        {
            return false;
        }

        watch.Written(entryAddress, level);
        return true;
    }

    public ulong AllocateTable() => tables.AllocateTable();
}

/// <summary>Tells the shadow pager of the guest's table writes and counts what they cost.</summary>
internal sealed class ShadowWriteWatch(ShadowPager pager, EventCounters events)
{
    /// <summary>Whether a removed shadow asks for a flush that has not been made yet.</summary>
    internal bool FlushPending { get; set; }

    internal void Written(ulong entryAddress, int level)
    {
        switch (pager.GuestTableWritten(entryAddress))
        {
            case GuestTableWrite.Unsync:
                events.Unsyncs++;
                break;
            case GuestTableWrite.Protected:
                events.ProtectedTableWrites++;
                break;
            case GuestTableWrite.ProtectedAndZapped:
                events.ProtectedTableWrites++;
                events.ShadowZaps++;
                FlushPending = true;
                break;
        }
    }
}
