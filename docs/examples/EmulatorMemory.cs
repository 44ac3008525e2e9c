using MemVirt.Core;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Examples;

/// <summary>The memory of an emulator: loads and stores by linear address, and the page fault that the guest is to see.</summary>
public static class EmulatorMemory
{
    private const ulong Stack = 0x7FFF_0000_0000;

    public static void Run(TextWriter output)
    {
        using var memory = new SparseMemory();
        PooledTableSpace tables = new TablePool(memory, new FrameAllocator(0x1000, 1 << 30)).Space;
        ulong cr3 = tables.AllocateTable();
        PageTableEditor<X64FourLevel, PooledTableSpace>.Map(
            ref tables, cr3, Stack, HostPhysicalAddress.Create(0x20_0000), PageSize.Size4K, AccessRights.Read | AccessRights.User)
            .LeaveStale("no processor runs yet");
        PagingUnit<PagingSource<IdentityStage, HostTableReader>> processor = MmuFactory.NativeProcessor(memory, ProcessorFeatures.Everything, new PagingRegisters
        {
            Cr0 = Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect,
            Cr3 = cr3,
            Cr4 = Cr4.PhysicalAddressExtension,
            Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
            CurrentPrivilegeLevel = 3,
        });
        var guest = new GuestVirtualMemory(processor.Mmu, memory);

        memory.Write(0x20_0010, 42);
        guest.Read(GuestVirtualAddress.Create(Stack + 0x10), out ulong value);
        output.WriteLine($"read {value}");

        TranslationStatus status = guest.Write(GuestVirtualAddress.Create(Stack + 0x10), 43UL);
        ulong errorCode = processor.Explain(Stack + 0x10, MemoryAccess.Write, out ulong cr2).FaultCode;
        output.WriteLine($"write: {status}; #PF with error code {errorCode}, CR2 0x{cr2:x}");

        // The guest's handler makes the page writable, and need not invalidate anything: rights were only added.
        PageTableEditor<X64FourLevel, PooledTableSpace>.Protect(
            ref tables, cr3, new AddressRange(Stack, 4096), AccessRights.Read | AccessRights.Write | AccessRights.User).Apply(processor.Mmu);
        output.WriteLine($"write: {guest.Write(GuestVirtualAddress.Create(Stack + 0x10), 43UL)}, memory holds {memory.Read(0x20_0010)}");
    }
}
