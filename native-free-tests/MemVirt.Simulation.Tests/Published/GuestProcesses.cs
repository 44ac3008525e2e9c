using MemVirt.Core.Access;
using MemVirt.Core.Formats;

namespace MemVirt.Simulation.Tests.Published;

/// <summary>Processes over <see cref="GuestKernel"/>: fork with copy-on-write, exec, exit, mmap, munmap, demand paging. The caller is in the kernel.</summary>
internal sealed class GuestProcesses(IVirtualMachine machine, GuestKernel kernel)
{
    private const ulong Present = 1;
    private const ulong Writable = 2;
    private const ulong UserAccessed = 0x25;
    private const ulong WritableDirty = 0x42;
    private const int FaultAround = 16;
    private readonly Dictionary<(int File, int Page), ulong> _pageCache = [];
    private ulong _zeroPage;

    /// <summary>One access of user mode; each #PF goes to the kernel.</summary>
    internal void Access(ulong address, MemoryAccess access)
    {
        for (int attempt = 0; !machine.TryAccess(address, access); attempt++)
        {
            Assert.True(attempt < 3, $"The fault at 0x{address:X} does not go away.");
            kernel.Enter();
            kernel.Events.PageFaults++;
            HandleFault(address, access == MemoryAccess.Write);
            kernel.Leave();
        }
    }

    /// <summary>The frame that holds a file's page; read in at its first use.</summary>
    internal ulong CachedPage(int file, int page)
    {
        if (!_pageCache.TryGetValue((file, page), out ulong frame))
        {
            frame = kernel.Frames.Take();
            kernel.Clear(frame);
            _pageCache.Add((file, page), frame);
        }

        return frame;
    }

    /// <summary>A copy of the current address space: private pages are shared and lose the write right until one side writes.</summary>
    internal AddressSpace Fork()
    {
        AddressSpace parent = kernel.Current;
        AddressSpace child = kernel.NewSpace();
        child.Regions.AddRange(parent.Regions);
        foreach (Region region in parent.Regions.Where(region => region.Kind != RegionKind.File))
        {
            for (ulong address = region.Start; address < region.End; address += 4096)
            {
                ulong page = Find(parent, address, out ulong entry);
                if ((page & Present) == 0)
                {
                    continue;
                }

                if ((page & Writable) != 0)
                {
                    page &= ~Writable;
                    kernel.Store(entry, page);
                }

                kernel.Frames.Share(TableGeometry.PageAddress(page, 0));
                kernel.Store(kernel.EntryOf(child, address), page);
            }
        }

        kernel.FlushCurrent();
        return child;
    }

    /// <summary>Gives the current process a new address space with these regions; the old one goes.</summary>
    internal AddressSpace Exec(IEnumerable<Region> regions)
    {
        AddressSpace old = kernel.Current;
        AddressSpace space = kernel.NewSpace();
        space.Regions.AddRange(regions);
        kernel.SwitchTo(space);
        kernel.Forget(old);
        Unmap(old);
        FreeTables(old);
        return space;
    }

    /// <summary>The current process ends and another goes on.</summary>
    internal void Exit(AddressSpace next)
    {
        AddressSpace dead = kernel.Current;
        Unmap(dead);
        kernel.FlushCurrent();
        kernel.SwitchTo(next);
        kernel.Forget(dead);
        FreeTables(dead);
    }

    /// <summary>Removes a region of the current process.</summary>
    internal void Unmap(Region region)
    {
        AddressSpace space = kernel.Current;
        int unmapped = Zap(space, region);
        space.Regions.Remove(region);
        if (unmapped > 0)
        {
            kernel.Flush(region.Start, region.Pages);
        }
    }

    /// <summary>Moves a page of the current process to another frame, as compaction does, and returns the frame that it leaves.</summary>
    internal ulong Migrate(ulong address, ulong frame)
    {
        ulong entry = kernel.EntryOf(kernel.Current, address);
        ulong page = kernel.Load(entry);
        kernel.Store(entry, (page & 0xFFF) | frame);
        kernel.Flush(address, 1);
        return TableGeometry.PageAddress(page, 0);
    }

    /// <summary>The entry of an address; 0 where there is no table for it.</summary>
    private ulong Find(AddressSpace space, ulong address, out ulong entry)
    {
        bool found = space.LeafTables.TryGetValue(address >> 21, out ulong table);
        entry = table + TableGeometry.EntryOffset(address, 0);
        return found ? kernel.Load(entry) : 0;
    }

    private void HandleFault(ulong address, bool isStore)
    {
        AddressSpace space = kernel.Current;
        Region region = space.RegionOf(address);
        ulong entry = kernel.EntryOf(space, address);
        ulong page = kernel.Load(entry);
        if ((page & Present) != 0)
        {
            Assert.True(isStore && region.Kind != RegionKind.File, $"A fault at 0x{address:X} that the tables do not explain.");
            BreakSharing(entry, address, page);
        }
        else if (region.Kind == RegionKind.File || (region.Kind == RegionKind.Private && !isStore))
        {
            MapAround(space, region, address);
        }
        else if (isStore)
        {
            kernel.Store(entry, NewPage(copyOf: region.Kind == RegionKind.Private ? CachedPageOf(region, address) : 0));
        }
        else
        {
            if (_zeroPage == 0)
            {
                _zeroPage = kernel.Frames.Take();
                kernel.Clear(_zeroPage);
            }

            kernel.Frames.Share(_zeroPage);
            kernel.Store(entry, _zeroPage | UserAccessed);
        }
    }

    /// <summary>A store to a page that others have too, or had: copied, or made writable where nobody has it any more.</summary>
    private void BreakSharing(ulong entry, ulong address, ulong page)
    {
        ulong frame = TableGeometry.PageAddress(page, 0);
        if (!kernel.Frames.IsShared(frame))
        {
            kernel.Store(entry, page | WritableDirty);
            return;
        }

        kernel.Store(entry, NewPage(copyOf: frame));
        kernel.Flush(address & ~0xFFFUL, 1);
        kernel.Frames.Release(frame);
    }

    /// <summary>The aligned sixteen pages of a file around a fault, as far as they are not mapped yet.</summary>
    private void MapAround(AddressSpace space, Region region, ulong address)
    {
        ulong start = Math.Max(address & ~((ulong)(FaultAround << 12) - 1), region.Start);
        ulong end = Math.Min((address | ((ulong)(FaultAround << 12) - 1)) + 1, region.End);
        for (ulong at = start; at < end; at += 4096)
        {
            ulong entry = kernel.EntryOf(space, at);
            if ((kernel.Load(entry) & Present) == 0)
            {
                ulong frame = CachedPageOf(region, at);
                kernel.Frames.Share(frame);
                kernel.Store(entry, frame | UserAccessed);
            }
        }
    }

    private ulong CachedPageOf(Region region, ulong address) => CachedPage(region.File, (int)((address - region.Start) >> 12));

    private ulong NewPage(ulong copyOf)
    {
        ulong frame = kernel.Frames.Take();
        if (copyOf != 0)
        {
            kernel.Touch(copyOf, store: false);
        }

        kernel.Clear(frame);
        return frame | UserAccessed | WritableDirty;
    }

    private void Unmap(AddressSpace space)
    {
        foreach (Region region in space.Regions)
        {
            Zap(space, region);
        }

        space.Regions.Clear();
    }

    private int Zap(AddressSpace space, Region region)
    {
        int unmapped = 0;
        for (ulong address = region.Start; address < region.End; address += 4096)
        {
            ulong page = Find(space, address, out ulong entry);
            if ((page & Present) == 0)
            {
                continue;
            }

            kernel.Store(entry, 0);
            kernel.Frames.Release(TableGeometry.PageAddress(page, 0));
            unmapped++;
        }

        return unmapped;
    }

    /// <summary>Unlinks and frees the tables, the lowest first, then the roots.</summary>
    private void FreeTables(AddressSpace space)
    {
        foreach ((ulong table, ulong entry, int level) in space.Tables.OrderBy(table => table.Level))
        {
            kernel.Store(entry, 0);
            if (level == 3 && space.UserRoot != space.KernelRoot)
            {
                kernel.Store(entry - space.KernelRoot + space.UserRoot, 0);
            }

            kernel.Frames.Release(table);
        }

        kernel.FreeRoots(space);
    }
}
