using MemVirt.Core;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Registers;
using MemVirt.Core.Shadow;
using MemVirt.Core.Sources;
using MemVirt.Simulation.Engine;
using MemVirt.Simulation.Machines;

namespace MemVirt.Simulation.Tests.Published;

/// <summary>
/// A guest under shadow paging, intercepted as KVM does without EPT: MOV to and from CR3, every #PF, INVLPG. The pager hears of a store to a
/// guest table only where the store faults.
/// </summary>
internal sealed class ShadowMachine : IVirtualMachine
{
    private readonly VirtualHardware _hardware;
    private readonly ShadowPager _pager;
    private readonly Mmu<ShadowSource<MeteredReader>> _mmu;

    internal ShadowMachine(MachineDescription machine)
    {
        _hardware = new VirtualHardware(machine, nested: false);
        var rules = new GuestRules(ProcessorFeatures.Everything, VirtualHardware.Registers);
        _pager = new ShadowPager(_hardware.Host, _hardware.Guest, _hardware.HostFrames, rules: rules);
        var source = new ShadowSource<MeteredReader>(_pager, _hardware.Reader, _hardware.WalkCaches);
        _mmu = new Mmu<ShadowSource<MeteredReader>>(source, _hardware.TlbEntries, _hardware.TlbWays);
    }

    public ExitCounts Exits { get; } = new();

    public long Walks => _mmu.Walks;

    public double WalkCycles => _hardware.WalkCycles;

    /// <summary>What the pager has counted, under KVM's names.</summary>
    internal ShadowStatistics Statistics => _pager.Statistics;

    public void Place(ulong gpa, ulong word) => _hardware.Guest.Write(gpa, word);

    public void Start(ulong cr3)
    {
        _mmu.SwitchContext(new PagingContext(VirtualHardware.VirtualProcessor, 0, User: false));
        Load(cr3, keep: true);
    }

    public void SwitchPrivilege(bool user) => _mmu.SwitchPrivilege(user, alignmentCheck: false);

    public bool TryAccess(ulong address, MemoryAccess access)
    {
        Translation translation = Translate(address, access);
        if (translation.Status == TranslationStatus.SecondStageProtection)
        {
            // A page that held a table once, and whose shadow still stands.
            Emulate();
            return true;
        }

        if (translation.Status == TranslationStatus.Ok)
        {
            _hardware.Touch(translation.HostPage | (address & 0xFFF));
        }

        return translation.Status == TranslationStatus.Ok;
    }

    public ulong Load(ulong address)
    {
        Translation translation = Translate(address, MemoryAccess.Read);
        Assert.Equal(TranslationStatus.Ok, translation.Status);
        return _hardware.Host.Read(translation.HostPage | (address & 0xFFF));
    }

    public void Store(ulong address, ulong word)
    {
        Translation translation = Translate(address, MemoryAccess.Write);
        if (translation.Status == TranslationStatus.Ok)
        {
            _hardware.Host.Write(translation.HostPage | (address & 0xFFF), word);
            return;
        }

        Assert.Equal(TranslationStatus.SecondStageProtection, translation.Status);
        _hardware.Guest.Write(_pager.LastFaultAddress, word);
        Emulate();
    }

    public void MoveToCr3(ulong value)
    {
        Exits.ControlRegister++;
        Load(value & ~Cr3.NoInvalidation, keep: (value & Cr3.NoInvalidation) != 0);
    }

    public void MoveFromCr3() => Exits.ControlRegister++;

    public void Invlpg(ulong address)
    {
        Exits.Invlpg++;
        _mmu.Invalidate(TlbInvalidation.Invlpg(
            VirtualHardware.VirtualProcessor, _mmu.Context.ProcessContext, GuestVirtualAddress.Create(address)));
    }

    public void Dispose() => _hardware.Dispose();

    private void Load(ulong cr3, bool keep)
    {
        var process = (ushort)(cr3 & Cr3.ProcessContextMask);
        bool flush = _pager.LoadRoot(cr3);
        _mmu.SwitchContext(_mmu.Context with { ProcessContext = process });
        if (flush)
        {
            _mmu.FlushTlb();
        }
        else if (!keep)
        {
            _mmu.Invalidate(TlbInvalidation.InvpcidContext(VirtualHardware.VirtualProcessor, process));
        }
    }

    /// <summary>The store that faulted last is done; the pager hears of it.</summary>
    private void Emulate()
    {
        Exits.TableWrites++;
        if (_pager.StoreEmulated(_pager.LastFaultAddress & ~7UL, sizeof(ulong)))
        {
            _mmu.FlushTlb();
        }
    }

    /// <summary>Each fault that the pager handles on the way is an exit.</summary>
    private Translation Translate(ulong address, MemoryAccess access)
    {
        long before = _pager.Statistics.FaultsTaken;
        long unsyncsBefore = _pager.Statistics.UnsyncFaults;
        Translation translation = _mmu.TranslateBeyondFront(GuestVirtualAddress.Create(address), access);
        long faults = _pager.Statistics.FaultsTaken - before;
        long unsyncs = _pager.Statistics.UnsyncFaults - unsyncsBefore;
        bool isGuestFault = translation.Status is TranslationStatus.GuestNotPresent or TranslationStatus.GuestProtection;
        bool isTableWrite = translation.Status == TranslationStatus.SecondStageProtection;
        Exits.GuestFaults += isGuestFault ? 1 : 0;
        Exits.Unsyncs += unsyncs;
        Exits.ShadowFaults += faults - unsyncs - (isGuestFault || isTableWrite ? 1 : 0);
        return translation;
    }
}
