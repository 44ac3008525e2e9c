using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Core.Registers;

namespace MemVirt.Simulation.Tests.Published;

/// <summary>
/// The bottom of a small Unix kernel, after Linux on x86-64: it has all memory mapped, and changes tables through that mapping; it knows six
/// PCIDs; with page-table isolation (Linux: PTI) user mode has a root of its own, and every entry to the kernel and exit from it reads and
/// loads CR3.
/// </summary>
internal sealed class GuestKernel
{
    internal const ulong DirectMap = 0xFFFF_8880_0000_0000;
    internal const ulong Modules = 0xFFFF_C900_0000_0000;
    private const ulong EntryArea = 0xFFFF_FE00_0000_0000;
    private const ulong FirstFrame = 1UL << 20;
    private const ulong UserPcid = 1UL << 11;
    private const ulong TableLink = 0x67;
    private const ulong LargeKernelPage = 0xE3;
    private const ulong KernelPage = 0x63;
    private const int Slots = 6;
    private static readonly ulong[] KernelAreas = [DirectMap, Modules, EntryArea];
    private readonly IVirtualMachine _machine;
    private readonly bool _isolation;
    private readonly AddressSpace _kernel = new();
    private readonly AddressSpace?[] _slots = new AddressSpace?[Slots];
    private readonly bool[] _userFlushPending = new bool[Slots];
    private int _slot;
    private int _nextSlot;

    /// <summary>A kernel that has booted, in its own address space.</summary>
    /// <param name="machine">What it runs on.</param>
    /// <param name="isolation">Whether user mode has a root of its own.</param>
    /// <param name="frames">Guest frames.</param>
    /// <param name="largeDirectMap">
    /// Whether it maps memory in 2 MiB pages. On 4 KiB host pages the engine holds those in pieces, and from then on an INVLPG forgets the PCID.
    /// </param>
    internal GuestKernel(IVirtualMachine machine, bool isolation, int frames, bool largeDirectMap = true)
    {
        _machine = machine;
        _isolation = isolation;
        Frames = new GuestFrames(FirstFrame, frames);
        Boot(FirstFrame + ((ulong)frames << 12), largeDirectMap);
    }

    internal GuestFrames Frames { get; }

    internal AddressSpace Current => _slots[_slot] ?? _kernel;

    /// <summary>What the guest has done so far.</summary>
    internal GuestEvents Events { get; } = new();

    /// <summary>A new address space with the kernel in it.</summary>
    internal AddressSpace NewSpace()
    {
        var space = new AddressSpace { KernelRoot = NewTable() };
        space.UserRoot = _isolation ? NewTable() : space.KernelRoot;
        foreach (ulong area in KernelAreas)
        {
            ulong offset = TableGeometry.EntryOffset(area, 3);
            Store(space.KernelRoot + offset, Load(_kernel.KernelRoot + offset));
        }

        if (_isolation)
        {
            ulong offset = TableGeometry.EntryOffset(EntryArea, 3);
            Store(space.UserRoot + offset, Load(_kernel.KernelRoot + offset));
        }

        return space;
    }

    /// <summary>Gives the roots of an address space back, empty.</summary>
    internal void FreeRoots(AddressSpace space)
    {
        foreach (ulong area in KernelAreas)
        {
            Store(space.KernelRoot + TableGeometry.EntryOffset(area, 3), 0);
        }

        Frames.Release(space.KernelRoot);
        if (_isolation)
        {
            Store(space.UserRoot + TableGeometry.EntryOffset(EntryArea, 3), 0);
            Frames.Release(space.UserRoot);
        }
    }

    /// <summary>From user mode into the kernel.</summary>
    internal void Enter()
    {
        Events.KernelEntries++;
        _machine.SwitchPrivilege(user: false);
        Run(EntryArea, MemoryAccess.Fetch);
        if (_isolation)
        {
            MoveFromCr3();
            MoveToCr3(KernelCr3 | Cr3.NoInvalidation);
        }
    }

    /// <summary>From the kernel to user mode; what the kernel could not flush of the user's PCID is flushed now.</summary>
    internal void Leave()
    {
        if (_isolation)
        {
            MoveFromCr3();
            MoveToCr3((Current.UserRoot | UserPcid | Pcid) | (_userFlushPending[_slot] ? 0 : Cr3.NoInvalidation));
            _userFlushPending[_slot] = false;
        }

        Run(EntryArea, MemoryAccess.Fetch);
        _machine.SwitchPrivilege(user: true);
    }

    /// <summary>Makes an address space current.</summary>
    internal void SwitchTo(AddressSpace space)
    {
        int slot = Array.IndexOf(_slots, space);
        bool isKnown = slot >= 0;
        if (!isKnown)
        {
            slot = _nextSlot;
            _nextSlot = (_nextSlot + 1) % Slots;
            _slots[slot] = space;
            _userFlushPending[slot] = true;
        }

        _slot = slot;
        MoveToCr3(KernelCr3 | (isKnown ? Cr3.NoInvalidation : 0));
    }

    /// <summary>An address space that is not current is about to go.</summary>
    internal void Forget(AddressSpace space)
    {
        int slot = Array.IndexOf(_slots, space);
        if (slot >= 0)
        {
            _slots[slot] = null;
        }
    }

    /// <summary>The address of the entry that translates an address at level 0; missing tables are made.</summary>
    internal ulong EntryOf(AddressSpace space, ulong address)
    {
        ulong region = (address & 0xFFFF_FFFF_FFFF) >> 21;
        if (!space.LeafTables.TryGetValue(region, out ulong table))
        {
            table = space.KernelRoot;
            for (int level = 3; level > 0; level--)
            {
                ulong entry = table + TableGeometry.EntryOffset(address, level);
                ulong present = Load(entry);
                ulong below = TableGeometry.TableAddress(present);
                if (!X64FourLevel.IsPresent(present))
                {
                    below = NewTable();
                    Link(space, entry, below, level);
                }

                table = below;
            }

            space.LeafTables.Add(region, table);
        }

        return table + TableGeometry.EntryOffset(address, 0);
    }

    internal ulong Load(ulong gpa) => _machine.Load(DirectMap + gpa);

    internal void Store(ulong gpa, ulong word) => _machine.Store(DirectMap + gpa, word);

    /// <summary>The kernel touches a page of its own: data, a file's page that it copies from.</summary>
    internal void Touch(ulong gpa, bool store) => Run(DirectMap + gpa, store ? MemoryAccess.Write : MemoryAccess.Read);

    /// <summary>Zeroes a page, a store to each cache line: no guest frame ever holds anything when it is freed.</summary>
    internal void Clear(ulong gpa)
    {
        for (ulong line = 0; line < 4096; line += 64)
        {
            Store(gpa + line, 0);
        }
    }

    /// <summary>Flushes pages of the current address space after their entries changed: one by one up to 33, as Linux, else all.</summary>
    internal void Flush(ulong address, int pages)
    {
        if (pages > 33)
        {
            FlushCurrent();
            return;
        }

        for (int page = 0; page < pages; page++)
        {
            Invlpg(address + ((ulong)page << 12));
        }

        _userFlushPending[_slot] = true;
    }

    /// <summary>Flushes all of the current address space.</summary>
    internal void FlushCurrent()
    {
        _userFlushPending[_slot] = true;
        MoveFromCr3();
        MoveToCr3(KernelCr3);
    }

    /// <summary>Maps pages of the kernel, for a module or a stack.</summary>
    internal void MapKernel(ulong address, int pages)
    {
        for (ulong page = address; page < address + ((ulong)pages << 12); page += 4096)
        {
            ulong frame = Frames.Take();
            Clear(frame);
            Store(EntryOf(_kernel, page), frame | KernelPage);
            Run(page, MemoryAccess.Write);
        }
    }

    /// <summary>Unmaps them: every other PCID is forgotten too.</summary>
    internal void UnmapKernel(ulong address, int pages)
    {
        for (ulong page = address; page < address + ((ulong)pages << 12); page += 4096)
        {
            ulong entry = EntryOf(_kernel, page);
            Frames.Release(TableGeometry.PageAddress(Load(entry), 0));
            Store(entry, 0);
        }

        Flush(address, pages);
        for (int slot = 0; slot < Slots; slot++)
        {
            _slots[slot] = slot == _slot ? _slots[slot] : null;
        }
    }

    /// <summary>A table that is zeroed before it is linked anywhere.</summary>
    internal ulong NewTable()
    {
        ulong table = Frames.Take();
        Clear(table);
        return table;
    }

    private ulong Pcid => (ulong)_slot + 1;

    private ulong KernelCr3 => Current.KernelRoot | Pcid;

    private void MoveToCr3(ulong value)
    {
        Events.ControlRegisterAccesses++;
        _machine.MoveToCr3(value);
    }

    private void MoveFromCr3()
    {
        Events.ControlRegisterAccesses++;
        _machine.MoveFromCr3();
    }

    private void Invlpg(ulong address)
    {
        Events.Invlpg++;
        _machine.Invlpg(address);
    }

    private void Run(ulong address, MemoryAccess access)
        => Assert.True(_machine.TryAccess(address, access), $"The kernel faults at 0x{address:X}.");

    private void Link(AddressSpace space, ulong entry, ulong table, int level)
    {
        Store(entry, table | TableLink);
        space.Tables.Add((table, entry, level));
        if (level == 3 && space.UserRoot != space.KernelRoot)
        {
            Store(entry - space.KernelRoot + space.UserRoot, table | TableLink);
        }
    }

    /// <summary>The boot loader's tables: all memory, and the page through which user mode enters.</summary>
    private void Boot(ulong bytes, bool largePages)
    {
        ulong root = Frames.Take();
        _kernel.KernelRoot = _kernel.UserRoot = root;
        ulong directory = PlaceTables(root, DirectMap, 1);
        for (ulong gpa = 0; gpa < bytes; gpa += 1UL << 21)
        {
            ulong entry = largePages ? gpa | LargeKernelPage : PlaceTable(gpa) | TableLink;
            _machine.Place(directory + TableGeometry.EntryOffset(DirectMap + gpa, 1), entry);
        }

        _kernel.LeafTables.Add((Modules & 0xFFFF_FFFF_FFFF) >> 21, PlaceTables(root, Modules, 0));
        ulong entries = PlaceTables(root, EntryArea, 0);
        _machine.Place(entries + TableGeometry.EntryOffset(EntryArea, 0), Frames.Take() | KernelPage);
        _machine.Start(root);
    }

    private ulong PlaceTable(ulong gpa)
    {
        ulong table = Frames.Take();
        for (ulong page = 0; page < 512; page++)
        {
            _machine.Place(table + (page * 8), (gpa + (page << 12)) | KernelPage);
        }

        return table;
    }

    private ulong PlaceTables(ulong root, ulong address, int toLevel)
    {
        ulong table = root;
        for (int level = 3; level > toLevel; level--)
        {
            ulong below = Frames.Take();
            _machine.Place(table + TableGeometry.EntryOffset(address, level), below | TableLink);
            table = below;
        }

        return table;
    }
}
