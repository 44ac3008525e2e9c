using MemVirt.Core;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;

namespace MemVirt.Examples;

/// <summary>Two virtual processors, a thread each, and a page taken away from both: nobody uses it once the edit is complete.</summary>
public static class ShootDown
{
    private const ulong Page = 0x40_0000;

    public static void Run(TextWriter output)
    {
        using var memory = new SparseMemory();
        var pool = new TablePool(memory, new FrameAllocator(0x1000, 1 << 30));
        PooledTableSpace tables = pool.Space;
        ulong cr3 = tables.AllocateTable();
        PageTableEditor<X64FourLevel, PooledTableSpace>.Map(
            ref tables, cr3, Page, HostPhysicalAddress.Create(0x20_0000), PageSize.Size4K, AccessRights.All).LeaveStale("no processor runs yet");

        var bus = new InvalidationBus(processors: 2);
        using var used = new CountdownEvent(2);
        bool isUnmapped = false;
        int lateUses = 0;
        Thread[] processors = [.. Enumerable.Range(0, 2).Select(number => new Thread(() => Execute(number)))];
        Array.ForEach(processors, processor => processor.Start());

        used.Wait();
        ReusableTables removed = PageTableEditor<X64FourLevel, PooledTableSpace>.Unmap(ref tables, cr3, new AddressRange(Page, 4096)).Complete(bus);
        Volatile.Write(ref isUnmapped, true);
        pool.Return(removed);
        Array.ForEach(processors, processor => processor.Join());
        output.WriteLine($"uses after the edit was complete: {lateUses}; tables to use again: {pool.FreeTables}");

        void Execute(int number)
        {
            // A processor is parked until it says that it runs: from here on edits wait for it.
            var mmu = MmuFactory.Native(memory, cr3);
            bus[number].Resume(mmu);
            for (int uses = 0; ; uses++)
            {
                // Between two instructions: what others want forgotten is forgotten here.
                bus[number].Service(mmu);
                bool late = Volatile.Read(ref isUnmapped);
                if (mmu.Translate(GuestVirtualAddress.Create(Page), MemoryAccess.Read, out _) != TranslationStatus.Ok)
                {
                    break;
                }

                Interlocked.Add(ref lateUses, late ? 1 : 0);
                if (uses == 1000)
                {
                    used.Signal();
                }
            }

            bus[number].Park();
        }
    }
}
