using MemVirt.Core;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Simulation.Engine;
using MemVirt.Simulation.Machines;

namespace MemVirt.Simulation.Tests.Published;

/// <summary>A guest under EPT: CR3, #PF and INVLPG are its own; the VMM backs guest-physical pages at their first touch.</summary>
internal sealed class EptMachine : IVirtualMachine
{
    private readonly VirtualHardware _hardware;
    private readonly PagingUnit<PagingSource<NestedStage<EptFormat, MeteredReader>, MeteredReader>> _processor;
    private readonly ulong _root;
    private HostTableSpace _tables;

    internal EptMachine(MachineDescription machine)
    {
        _hardware = new VirtualHardware(machine, nested: true);
        _tables = new HostTableSpace(_hardware.Host, _hardware.HostFrames);
        _root = _tables.AllocateTable();
        var stage = new NestedStage<EptFormat, MeteredReader>(
            _hardware.Reader, _root, context: 1, _hardware.NestedTlb, _hardware.NestedCaches);
        _processor = MmuFactory.Processor(
            ProcessorFeatures.Everything, stage, _hardware.Reader, VirtualHardware.Registers, _hardware.WalkCaches,
            _hardware.TlbEntries, _hardware.TlbWays);
    }

    public ExitCounts Exits { get; } = new();

    public long Walks => _processor.Mmu.Walks;

    public double WalkCycles => _hardware.WalkCycles;

    public void Place(ulong gpa, ulong word) => _hardware.Guest.Write(gpa, word);

    public void Start(ulong cr3)
        => _processor.Load(VirtualHardware.Registers with { Cr3 = cr3 }, VirtualHardware.VirtualProcessor);

    public void SwitchPrivilege(bool user) => _processor.ChangePrivilege((byte)(user ? 3 : 0), alignmentCheck: false);

    public bool TryAccess(ulong address, MemoryAccess access)
    {
        Translation translation = Translate(address, access);
        if (translation.Status == TranslationStatus.Ok)
        {
            _hardware.Touch(translation.HostPage | (address & 0xFFF));
        }

        return translation.Status == TranslationStatus.Ok;
    }

    public ulong Load(ulong address) => _hardware.Host.Read(AddressOf(address, MemoryAccess.Read));

    public void Store(ulong address, ulong word) => _hardware.Host.Write(AddressOf(address, MemoryAccess.Write), word);

    public void MoveToCr3(ulong value) => Assert.Equal(RegisterWriteOutcome.Done, _processor.MoveToCr3(value));

    public void MoveFromCr3()
    {
        // Not intercepted under EPT.
    }

    public void Invlpg(ulong address) => _processor.Invlpg(address);

    public void Dispose() => _hardware.Dispose();

    private ulong AddressOf(ulong address, MemoryAccess access)
    {
        Translation translation = Translate(address, access);
        Assert.Equal(TranslationStatus.Ok, translation.Status);
        return translation.HostPage | (address & 0xFFF);
    }

    private Translation Translate(ulong address, MemoryAccess access)
    {
        while (true)
        {
            Translation translation = _processor.Explain(address, access, out _);
            if (translation.Status is not TranslationStatus.SecondStageNotPresent)
            {
                return translation;
            }

            Exits.EptViolation++;
            Back(translation.GuestPhysical);
        }
    }

    private void Back(ulong gpa)
    {
        ulong entry = PageTableEditor<EptFormat, HostTableSpace>.EnsureEntry(ref _tables, _root, gpa, leafLevel: 0, out _);
        ulong page = _hardware.Guest.Back(gpa);
        _tables.Write(entry, EptFormat.LeafEntry(page, 0, AccessRights.All, dirty: true), level: 0);
    }
}
