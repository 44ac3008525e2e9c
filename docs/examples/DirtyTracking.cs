using MemVirt.Core;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;
using MemVirt.Core.Slots;
using MemVirt.Core.Sources;

namespace MemVirt.Examples;

/// <summary>Which pages of a guest were written since the last look, as live migration asks: by EPT's dirty bits, without an exit a page.</summary>
public static class DirtyTracking
{
    private const ulong GuestBytes = 16UL << 20;

    public static void Run(TextWriter output)
    {
        using var memory = new SparseMemory();
        var frames = new FrameAllocator(0x1000, 1UL << 30);
        PooledTableSpace tables = new TablePool(memory, frames).Space;
        ulong ept = tables.AllocateTable();
        var slots = new MemorySlots();
        var pager = new SlotPager<EptFormat, PooledTableSpace>(tables, ept, slots, PageSize.Size4K);
        pager.Add(new MemorySlot(0, GuestPhysicalAddress.Create(0), GuestBytes, HostPhysicalAddress.Create(1UL << 30)));

        // The guest maps its first 2 MiB where they lie; its tables are in the slot too.
        ulong cr3 = 0x20_0000;
        memory.Write((1UL << 30) + cr3, X64FourLevel.TableEntry(cr3 + 0x1000));
        memory.Write((1UL << 30) + cr3 + 0x1000, X64FourLevel.TableEntry(cr3 + 0x2000));
        memory.Write((1UL << 30) + cr3 + 0x2000, X64FourLevel.LeafEntry(0, level: 1, AccessRights.All, dirty: true));
        var mmu = MmuFactory.Ept(memory, ept, cr3);

        pager.Arm(0, DirtyLogging.DirtyBits).Apply(mmu);
        Store(0x5000);
        Store(0x9000);
        Store(0x9008);
        output.WriteLine($"written: {Harvest()}");
        Store(0x9000);
        output.WriteLine($"written: {Harvest()}");
        output.WriteLine($"written: {Harvest()}");

        void Store(ulong address)
        {
            while (mmu.Translate(GuestVirtualAddress.Create(address), MemoryAccess.Write, out HostPhysicalAddress hpa) != TranslationStatus.Ok)
            {
                // An EPT violation: the pager maps what is missing, here or on the way.
                Translation fault = mmu.TranslateBeyondFront(GuestVirtualAddress.Create(address), MemoryAccess.Write);
                pager.HandleFault(fault.GuestPhysical, MemoryAccess.Write, out PendingInvalidation pending);
                pending.Apply(mmu);
            }
        }

        string Harvest()
        {
            var bitmap = new ulong[(int)(GuestBytes >> 12) / 64];
            pager.Harvest(0, bitmap, out long count).Apply(mmu);
            IEnumerable<int> pages = Enumerable.Range(0, bitmap.Length * 64).Where(page => (bitmap[page / 64] >> (page % 64) & 1) != 0);
            return count == 0 ? "none" : string.Join(", ", pages.Select(page => $"0x{page << 12:x}"));
        }
    }
}
