using MemVirt.Core;
using MemVirt.Core.Access;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;
using MemVirt.Cpu.Loading;

namespace MemVirt.Cpu.Spaces;

/// <summary>No virtualization: guest-physical is host-physical, and what is no RAM is watched.</summary>
internal sealed class NativeSpace : GuestSpace
{
    private readonly PagingUnit<PagingSource<IdentityStage, HostTableReader>> _unit;
    private readonly GuestMemoryMap _map;

    /// <summary>RAM of so many bytes, a multiple of 4 KiB.</summary>
    public NativeSpace(ulong ramBytes, ProcessorFeatures features, in PagingRegisters registers)
    {
        RamBytes = ramBytes;
        _map = GuestMemoryMap.Of(ramBytes);
        Memory = new SparseMemory(1UL << features.PhysicalAddressBits);
        Watch = new FrameWatch(Math.Max(_map.LowEnd, _map.HighEnd > GuestMemoryMap.HighStart ? _map.HighEnd : 0));
        for (ulong hole = _map.LowEnd; hole < GuestMemoryMap.HighStart && _map.HighEnd > GuestMemoryMap.HighStart; hole += 4096)
        {
            Watch.Add(hole, FrameWatch.Everything);
        }

        _unit = MmuFactory.NativeProcessor(Memory, features, registers);
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

    /// <inheritdoc/>
    public override bool TryResolve(ulong gpa, out ulong hpa)
    {
        hpa = gpa;
        return gpa < _map.LowEnd || (gpa >= GuestMemoryMap.HighStart && gpa < _map.HighEnd);
    }

    /// <inheritdoc/>
    public override ulong DeviceAddress(ulong hpa) => hpa;

    /// <inheritdoc/>
    public override StageOutcome Handle(in Translation fault, ulong linear, MemoryAccess access, out ulong gpa)
    {
        gpa = fault.GuestPhysical;
        return StageOutcome.Failed;
    }

    /// <inheritdoc/>
    public override void Load(in PagingRegisters registers) => _unit.Load(in registers, 0);

    /// <inheritdoc/>
    public override void Dispose() => Memory.Dispose();
}
