using MemVirt.Core;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Shadow;
using MemVirt.Core.Sources;
using MemVirt.Core.Walking;
using MemVirt.Cpu.Loading;

namespace MemVirt.Cpu.Spaces;

/// <summary>Shadow paging: the guest's tables are shadowed while <see cref="ShadowPager"/> follows them; its stores to them come here.</summary>
internal sealed class ShadowSpace : GuestSpace
{
    private const ulong FramesStart = 1UL << 21;
    private readonly PagingUnit<ShadowPagingSource<HostTableReader>> _unit;
    private readonly GuestMemory _guest;
    private readonly GuestMemoryMap _map;

    /// <summary>RAM of so many bytes, a multiple of 4 KiB.</summary>
    public ShadowSpace(ulong ramBytes, ProcessorFeatures features, in PagingRegisters registers)
    {
        RamBytes = ramBytes;
        _map = GuestMemoryMap.Of(ramBytes);
        Memory = new SparseMemory();

        // Backing comes in pages of 2 MiB; shadow tables have as much room again.
        ulong limit = FramesStart + ramBytes + (4UL << 20) + Math.Max(ramBytes, 1UL << 30);
        var frames = new FrameAllocator(FramesStart, FramesStart + ramBytes + (4UL << 20));
        var tables = new FrameAllocator(FramesStart + ramBytes + (4UL << 20), limit);
        Watch = new FrameWatch(limit);
        _guest = new GuestMemory(Memory, frames, PageSize.Size2M);
        _unit = MmuFactory.ShadowProcessor(Memory, _guest, tables, HasDevice, features, in registers);
        _unit.Mmu.Watch = Watch;
    }

    /// <inheritdoc/>
    public override PagingUnit Unit => _unit;

    /// <inheritdoc/>
    public override SparseMemory Memory { get; }

    /// <inheritdoc/>
    public override FrameWatch Watch { get; }

    /// <inheritdoc/>
    public override ulong RamBytes { get; }

    /// <summary>The guest's physical memory.</summary>
    public GuestMemory GuestMemory => _guest;

    /// <summary>The pager.</summary>
    public ShadowPager Pager => _unit.Mmu.Source.Pager;

    /// <summary>Whether the guest's tables are shadowed now.</summary>
    public bool IsShadowed => _unit.Mmu.Source.IsShadowed;

    /// <summary>What the pager has done.</summary>
    public ShadowStatistics Statistics => _unit.Mmu.Source.Pager.Statistics;

    /// <inheritdoc/>
    public override Action? FaultAnnouncement
    {
        get => Pager.BeforeFault;
        set => Pager.BeforeFault = value;
    }

    /// <inheritdoc/>
    public override bool TryResolve(ulong gpa, out ulong hpa)
    {
        bool isRam = !HasDevice(gpa & ~0xFFFUL, 4096);
        hpa = isRam ? _guest.Resolve(gpa) : 0;
        return isRam;
    }

    /// <inheritdoc/>
    public override ulong DeviceAddress(ulong hpa) => throw new InvalidOperationException("Shadow tables lead to RAM alone.");

    /// <inheritdoc/>
    public override void Load(in PagingRegisters registers) => _unit.Load(in registers, virtualProcessor: 1);

    /// <inheritdoc/>
    public override StageOutcome Handle(in Translation fault, ulong linear, MemoryAccess access, out ulong gpa)
    {
        gpa = fault.GuestPhysical;
        switch (fault.Status)
        {
            case TranslationStatus.SecondStageNotPresent when !fault.IsTableAccess:
                return StageOutcome.Device;
            case TranslationStatus.SecondStageProtection:
                return StageOutcome.EmulateStore;
            default:
                return StageOutcome.Failed;
        }
    }

    /// <inheritdoc/>
    public override void StoreEmulated(ulong gpa, int lengthBytes)
    {
        if (Pager.StoreEmulated(gpa, lengthBytes))
        {
            _unit.Mmu.FlushTlb();
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _guest.Dispose();
        Memory.Dispose();
    }

    private bool HasDevice(ulong gpa, ulong lengthBytes)
        => !(gpa + lengthBytes <= _map.LowEnd || (gpa >= GuestMemoryMap.HighStart && gpa + lengthBytes <= _map.HighEnd));
}
