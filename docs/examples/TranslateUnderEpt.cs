using MemVirt.Core;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;

namespace MemVirt.Examples;

/// <summary>A guest-virtual address through the guest's tables and EPT.</summary>
public static class TranslateUnderEpt
{
    public static void Run(TextWriter output)
    {
        using var memory = new SparseMemory();
        PooledTableSpace tables = new TablePool(memory, new FrameAllocator(0x1000, 1 << 30)).Space;
        ulong ept = tables.AllocateTable();
        ulong cr3 = tables.AllocateTable();
        PageTableEditor<EptFormat, PooledTableSpace>.Map(
            ref tables, ept, 0, HostPhysicalAddress.Create(0), PageSize.Size1G, AccessRights.All).LeaveStale("no processor runs yet");
        PageTableEditor<X64FourLevel, PooledTableSpace>.Map(
            ref tables, cr3, 0x7F12_4000_0000, HostPhysicalAddress.Create(0x20_0000), PageSize.Size4K, AccessRights.All)
            .LeaveStale("no processor runs yet");
        var mmu = MmuFactory.Ept(memory, ept, cr3);
        TranslationStatus status = mmu.Translate(GuestVirtualAddress.Create(0x7F12_4000_0123), MemoryAccess.Read, out HostPhysicalAddress hpa);
        output.WriteLine($"{status}: 0x{hpa.Value:x}");
    }
}
