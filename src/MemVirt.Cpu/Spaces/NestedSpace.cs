using MemVirt.Core;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Slots;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;
using MemVirt.Cpu.Loading;

namespace MemVirt.Cpu.Spaces;

/// <summary>EPT or NPT: slots of guest RAM, mapped in the second stage as they are used; a violation elsewhere is a device's.</summary>
internal sealed class NestedSpace<TFormat> : GuestSpace
    where TFormat : struct, IPageTableFormat
{
    private const ulong TablesStart = 0x1000;
    private const ulong TablesEnd = 1UL << 30;
    private const ulong BackingStart = 1UL << 30;
    private readonly PagingUnit<PagingSource<NestedStage<TFormat, HostTableReader>, HostTableReader>> _unit;
    private readonly SlotPager<TFormat, PooledTableSpace> _pager;
    private readonly GuestRules _rules;
    private PagingSource<SlotStage, HostTableReader> _ofDevices;

    /// <summary>RAM of so many bytes, a multiple of 4 KiB.</summary>
    public NestedSpace(ulong ramBytes, ProcessorFeatures features, in PagingRegisters registers)
    {
        RamBytes = ramBytes;
        Memory = new SparseMemory();
        Watch = new FrameWatch(BackingStart + ramBytes);
        PooledTableSpace tables = new TablePool(Memory, new FrameAllocator(TablesStart, TablesEnd)).Space;
        ulong root = tables.AllocateTable();
        _pager = new SlotPager<TFormat, PooledTableSpace>(tables, root, new MemorySlots(), PageSize.Size2M);
        GuestMemoryMap map = GuestMemoryMap.Of(ramBytes);
        _pager.Add(new MemorySlot(0, GuestPhysicalAddress.Create(0), map.LowEnd, HostPhysicalAddress.Create(BackingStart)));
        if (map.HighEnd > GuestMemoryMap.HighStart)
        {
            _pager.Add(new MemorySlot(
                1, GuestPhysicalAddress.Create(GuestMemoryMap.HighStart), map.HighEnd - GuestMemoryMap.HighStart,
                HostPhysicalAddress.Create(BackingStart + map.LowEnd)));
        }

        var reader = new HostTableReader(Memory);
        _unit = MmuFactory.Processor(features, new NestedStage<TFormat, HostTableReader>(reader, root, context: 1), reader, in registers);
        _unit.Mmu.Watch = Watch;
        _rules = new GuestRules(features, registers);
        _ofDevices = new PagingSource<SlotStage, HostTableReader>(new SlotStage(_pager.Slots), reader, _rules);
    }

    /// <inheritdoc/>
    public override PagingUnit Unit => _unit;

    /// <inheritdoc/>
    public override SparseMemory Memory { get; }

    /// <inheritdoc/>
    public override FrameWatch Watch { get; }

    /// <inheritdoc/>
    public override ulong RamBytes { get; }

    /// <inheritdoc/>
    public override bool TryResolve(ulong gpa, out ulong hpa)
    {
        bool isRam = _pager.Slots.TryFind(gpa, out MemorySlot? slot);
        hpa = isRam ? slot!.BackingOf(gpa) : 0;
        return isRam;
    }

    /// <inheritdoc/>
    public override ulong DeviceAddress(ulong hpa) => throw new InvalidOperationException("Second-stage tables lead to RAM alone.");

    /// <inheritdoc/>
    public override void Load(in PagingRegisters registers) => _unit.Load(in registers, virtualProcessor: 1);

    /// <inheritdoc/>
    public override StageOutcome Handle(in Translation fault, ulong linear, MemoryAccess access, out ulong gpa)
    {
        gpa = fault.GuestPhysical;
        if (fault.Status is not (TranslationStatus.SecondStageNotPresent or TranslationStatus.SecondStageProtection))
        {
            return StageOutcome.Failed;
        }

        SecondStageFaults++;
        MemoryAccess needed = fault.IsTableAccess ? MemoryAccess.Write : access;
        SlotFault outcome = _pager.HandleFault(gpa, needed, out PendingInvalidation pending);
        pending.Apply(_unit.Mmu);
        if (outcome == SlotFault.NoSlot && !fault.IsTableAccess)
        {
            SetFlags(linear, access);
            return StageOutcome.Device;
        }

        return outcome switch
        {
            SlotFault.NoSlot => StageOutcome.Failed,
            SlotFault.ReadOnlySlot => StageOutcome.Failed,
            _ => StageOutcome.Retry,
        };
    }

    /// <inheritdoc/>
    public override void Dispose() => Memory.Dispose();

    /// <summary>An access to a device never completes in the MMU; the guest's accessed and dirty flags are set all the same (Intel SDM Vol. 3A §4.8).</summary>
    private void SetFlags(ulong linear, MemoryAccess access)
    {
        PagingRegisters registers = _unit.Registers;
        _rules.Update(in registers);
        _ofDevices.Cr3 = registers.Cr3;
        _ofDevices.Pdptes = _unit.PageDirectoryPointers;
        _ = _ofDevices.Translate(linear, (AccessRights)access | (registers.CurrentPrivilegeLevel == 3 ? AccessRights.User : AccessRights.AlignmentCheck));
    }
}
