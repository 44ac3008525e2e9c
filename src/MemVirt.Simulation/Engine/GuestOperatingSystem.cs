using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;

namespace MemVirt.Simulation.Engine;

/// <summary>
/// The model of the guest's operating system: a root table a process, pages mapped on first touch from a bump pointer. Its own
/// memory references are not simulated.
/// </summary>
internal sealed class GuestOperatingSystem<TSpace>
    where TSpace : struct, ITableSpace
{
    private readonly FrameAllocator _frames;
    private readonly PageSize _pageSize;
    private readonly EventCounters _events;
    private readonly ulong[] _roots;
    private TSpace _space;

    internal GuestOperatingSystem(TSpace space, FrameAllocator frames, PageSize pageSize, int processes, EventCounters events)
    {
        _space = space;
        _frames = frames;
        _pageSize = pageSize;
        _events = events;
        _roots = new ulong[processes];
        for (int process = 0; process < processes; process++)
        {
            _roots[process] = _space.AllocateTable();
        }
    }

    /// <summary>The guest-physical address of a process's root table.</summary>
    internal ulong RootOf(int process) => _roots[process];

    /// <summary>First touch of a page: missing tables from the top down, then the page, the leaf entry last.</summary>
    internal void HandlePageFault(int process, ulong address, bool store)
    {
        int level = _pageSize.LeafLevel();
        ulong entryAddress = PageTableEditor<X64FourLevel, TSpace>.EnsureEntry(
            ref _space, _roots[process], address, level, out int tables);
        ulong page = _frames.Allocate(_pageSize);
        _space.Write(entryAddress, X64FourLevel.LeafEntry(page, level, AccessRights.All, dirty: store), level);
        _events.GuestPageFaults++;
        _events.PageTableWrites += tables + 1;
    }
}
