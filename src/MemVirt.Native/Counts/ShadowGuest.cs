using MemVirt.Core.Registers;
using MemVirt.Native.Guests;
using MemVirt.Native.Kvm;

namespace MemVirt.Native.Counts;

/// <summary>The side of KVM: loops in user mode, each ended by a store to memory that does not exist.</summary>
internal sealed class ShadowGuest : IShadowSide, IDisposable
{
    private static readonly string[] ProcessorNames = ["pf_taken"];
    private static readonly string[] MachineNames = ["mmu_unsync", "mmu_pte_write", "mmu_flooded", "mmu_cache_miss"];
    private readonly Guest _guest;
    private readonly KvmStatistics? _processor;
    private readonly KvmStatistics? _machine;
    private readonly TimeSpan _limit;
    private ulong _root = ShadowLayout.Root;

    internal ShadowGuest(KvmDevice device, VirtualProcessorThread thread, ShadowMapping mapping, TimeSpan limit)
    {
        _limit = limit;
        _guest = new Guest(device, thread, ShadowLayout.MemoryBytes);
        ShadowLayout.Write(_guest.Machine, mapping);
        _processor = KvmStatistics.TryOpen(_guest.Machine.Processor);
        _machine = KvmStatistics.TryOpen(_guest.Machine.Machine);
    }

    internal VirtualMachine Machine => _guest.Machine;

    /// <summary>Why nothing can be counted; null where it can.</summary>
    internal string? WhyNotCounted()
    {
        if (_processor is null || _machine is null)
        {
            return "this kernel has no KVM_GET_STATS_FD";
        }

        string? missing = ProcessorNames.FirstOrDefault(name => !_processor.Has(name))
                          ?? MachineNames.FirstOrDefault(name => !_machine.Has(name));
        return missing is null ? null : $"this kernel's KVM statistics have no {missing}";
    }

    /// <summary>Brings the code's page into the shadow, and the tables of the window, by a read far from the guest's tables.</summary>
    internal void WarmUp() => Run(GuestLayout.ReadLoopStub, ShadowLayout.WindowEnd, 0, 1, 0);

    public ShadowCounts Touch(bool store) => Counted(
        () => Run(store ? GuestLayout.WriteLoopStub : GuestLayout.ReadLoopStub, ShadowLayout.Base, 1, ShadowLayout.Pages, 4096));

    public ShadowCounts LoadEntry(ulong entryAddress) => Counted(
        () => Run(GuestLayout.ReadLoopStub, ShadowLayout.InWindow(entryAddress), 0, 1, 0));

    public ShadowCounts StoreEntries(ulong entryAddress, ulong value, int count, ulong strideBytes) => Counted(
        () => Run(GuestLayout.StoreLoopStub, ShadowLayout.InWindow(entryAddress), value, count, strideBytes));

    public void ReloadRoot() => Run(GuestLayout.ReloadRootStub, 0, 0, 0, 0, privilegeLevel: 0);

    public void LoadRoot(ulong root)
    {
        Run(GuestLayout.LoadRootStub, 0, root, 0, 0, privilegeLevel: 0);
        _root = root;
        WarmUp();
    }

    public void InvalidatePage(int page)
        => Run(GuestLayout.InvalidatePageStub, ShadowLayout.Base + ((ulong)page << 12), 0, 0, 0, privilegeLevel: 0);

    public void Dispose()
    {
        _processor?.Dispose();
        _machine?.Dispose();
        _guest.Dispose();
    }

    private ShadowCounts Counted(Action run)
    {
        ShadowCounts before = Read();
        run();
        ShadowCounts after = Read();
        return new ShadowCounts(
            after.Faults - before.Faults - 1, // the store that ends the loop
            Math.Max(0, after.Unsync - before.Unsync), // a gauge: it falls where tables are put in sync again
            after.Emulated - before.Emulated,
            after.Flooded - before.Flooded,
            after.Built - before.Built);
    }

    private ShadowCounts Read() => new(
        _processor!["pf_taken"], _machine!["mmu_unsync"], _machine["mmu_pte_write"], _machine["mmu_flooded"], _machine["mmu_cache_miss"]);

    private void Run(ulong stub, ulong address, ulong value, int count, ulong strideBytes, byte privilegeLevel = 3)
    {
        var general = new KvmRegisters
        {
            Rip = stub,
            Rdi = address,
            Rax = value,
            Rcx = (ulong)count,
            Rdx = strideBytes,
            Rsi = GuestLayout.MissingMemory,
            Rsp = GuestLayout.StackTop,
            Rflags = 2,
        };
        PagingRegisters registers = Guest.LongMode with { Cr3 = _root, CurrentPrivilegeLevel = privilegeLevel };
        KvmExit exit = _guest.Run(in registers, in general, _limit);
        if (exit != KvmExit.Mmio)
        {
            throw new IOException($"the guest of an experiment ended with {exit}");
        }
    }
}
