using System.Diagnostics;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Shadow;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Engine;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Live;

/// <summary>
/// One run of a guest, priced under several regimes on one machine. The run hands over its references in order, and between them what
/// its registers and invalidations do; exits are told by reason. Serves one thread.
/// </summary>
public sealed class LiveComparison : IDisposable
{
    private const int RecentPages = 256;
    private const int Reasons = (int)ExitReason.DeviceMemory + 1;
    private readonly MachineDescription _machine;
    private readonly LiveGuest _guest;
    private readonly GuestRules _rules;
    private readonly Regime[] _regimes;
    private readonly LiveSimulation[] _simulations;
    private readonly RegimeHardware[] _hardware;
    private readonly long[] _exits = new long[Reasons];
    private readonly HashSet<ulong> _pages = [];
    private readonly ulong[] _recentPages = [.. Enumerable.Repeat(ulong.MaxValue, RecentPages)];
    private readonly SparseMemory _secondStage = new();
    private PagingRegisters _registers;
    private long _instructions;
    private long _loads;
    private long _stores;
    private long _crossings;
    private long _sinceReading;
    private long _notShadowed;

    /// <summary>A comparison.</summary>
    /// <param name="machine">Whose TLBs, walk caches and costs.</param>
    /// <param name="regimes">In the order of the result.</param>
    /// <param name="hostPages">The page size of the second stage.</param>
    /// <param name="guest">The guest.</param>
    /// <param name="registers">Its registers now.</param>
    /// <param name="details">Whether walks are counted cell by cell and counters kept over time.</param>
    public LiveComparison(
        MachineDescription machine, IReadOnlyList<Regime> regimes, PageSize hostPages, LiveGuest guest, in PagingRegisters registers,
        bool details = false)
    {
        ArgumentNullException.ThrowIfNull(machine);
        ArgumentNullException.ThrowIfNull(guest);
        // The guest's own handlers are executed here, not priced.
        _machine = machine with { Costs = machine.Costs with { GuestFaultCycles = 0, ContextSwitchCycles = 0 } };
        (_guest, _registers) = (guest, registers);
        _rules = new GuestRules(guest.Features, registers);
        _regimes = [.. regimes];
        _hardware = [.. _regimes.Select(regime => RegimeFactory.LiveHardware(regime, machine, hostPages, details))];
        _simulations = [.. _regimes.Zip(_hardware, (regime, hardware) => Create(regime, hardware, hostPages))];
        LoadAll();
    }

    /// <summary>The machine.</summary>
    public string Machine => _machine.Name;

    /// <summary>Runs references: data of any kind, and the first fetch of each run of instructions from a page.</summary>
    /// <param name="references">In order, those of one context.</param>
    /// <param name="instructions">Instructions that were executed since the last call.</param>
    public void Run(ReadOnlySpan<MemoryReference> references, long instructions)
    {
        long data = 0;
        foreach (MemoryReference reference in references)
        {
            switch (reference.Kind)
            {
                case ReferenceKind.Load:
                    _loads++;
                    data++;
                    break;
                case ReferenceKind.Store:
                    _stores++;
                    data++;
                    break;
            }

            _crossings += reference.CrossesPage ? 1 : 0;
            ulong page = reference.LinearAddress48 >> 12;
            ref ulong recent = ref _recentPages[page & (RecentPages - 1)];
            if (recent != page)
            {
                recent = page;
                _pages.Add(page);
            }
        }

        _instructions += instructions;
        _sinceReading += instructions + data;
        if (_rules.Mode != PagingMode.None && !_guest.IsShadowed())
        {
            _notShadowed += instructions + data;
        }

        bool reads = _sinceReading >= SliceRecorder.Granule;
        long clock = Stopwatch.GetTimestamp();
        for (int i = 0; i < _simulations.Length; i++)
        {
            LiveSimulation simulation = _simulations[i];
            simulation.Feed(references, ref clock);
            simulation.Retire(instructions);
            simulation.CountData(data);
            simulation.Hardware.L1i.Lookups += instructions;
            if (reads)
            {
                Settle(_regimes[i], simulation);
                simulation.Hardware.Slices?.Read(simulation);
            }
        }

        _sinceReading = reads ? 0 : _sinceReading;
    }

    /// <summary>Control registers or CPL have changed, CR3 perhaps among them; nothing is forgotten by this.</summary>
    public void Load(in PagingRegisters registers, PageDirectoryPointers pointers)
    {
        bool isPolicy = (registers.Cr0, registers.Cr4, registers.Efer, registers.Pkru) != (_registers.Cr0, _registers.Cr4, _registers.Efer, _registers.Pkru);
        _registers = registers;
        if (isPolicy)
        {
            _rules.Update(in registers);
        }

        foreach (LiveSimulation simulation in _simulations)
        {
            simulation.Load(in registers, pointers);
        }
    }

    /// <summary>MOV to CR3.</summary>
    /// <param name="process">The PCID; 0 where there are none.</param>
    /// <param name="keeps">Whether bit 63 was set: nothing is forgotten.</param>
    public void SwitchTo(ushort process, bool keeps)
    {
        foreach (LiveSimulation simulation in _simulations)
        {
            simulation.SwitchTo(process, keeps);
            simulation.Hardware.Events.ContextSwitches++;
        }
    }

    /// <summary>INVLPG.</summary>
    public void Invalidate(ulong linear)
    {
        foreach (LiveSimulation simulation in _simulations)
        {
            simulation.Invalidate(linear);
        }
    }

    /// <summary>Everything is forgotten, global translations too.</summary>
    public void InvalidateAll()
    {
        foreach (LiveSimulation simulation in _simulations)
        {
            simulation.InvalidateAll();
            simulation.SwitchTo(0, keeps: false);
        }
    }

    /// <summary>The guest took a page fault of its own.</summary>
    public void CountGuestPageFault()
    {
        foreach (LiveSimulation simulation in _simulations)
        {
            simulation.Hardware.Events.GuestPageFaults++;
        }
    }

    /// <summary>An event that is an exit under some regimes: under shadow paging all are, under EPT and NPT those that are not of paging.</summary>
    /// <param name="reason">The reason.</param>
    /// <param name="nestedToo">Whether EPT and NPT exit too.</param>
    public void CountExit(ExitReason reason, bool nestedToo)
    {
        _exits[(int)reason]++;
        for (int i = 0; i < _simulations.Length; i++)
        {
            if (_regimes[i] == Regime.Shadow || (_regimes[i] != Regime.Native && nestedToo))
            {
                _simulations[i].Hardware.Events.OtherExits[(int)reason]++;
            }
        }
    }

    /// <summary>The result, at the end of the run.</summary>
    /// <param name="name">What ran.</param>
    /// <param name="hostPages">The page size of the second stage.</param>
    public ComparisonResult Finish(string name, PageSize hostPages)
    {
        for (int i = 0; i < _simulations.Length; i++)
        {
            Settle(_regimes[i], _simulations[i]);
        }

        int native = Array.IndexOf(_regimes, Regime.Native);
        double? nativeCycles = native < 0 ? null : ResultBuilder.Build(Regime.Native, _machine, _simulations[native], null).Cycles.Total;
        var inputs = new InputSummary(
            name, "guest", _instructions + _loads + _stores, _instructions, _loads, _stores, _crossings, _pages.Count);
        RegimeDetails[] details =
        [
            .. _regimes.Zip(_simulations, (regime, simulation) => ResultBuilder.Details(regime, _machine, simulation)).OfType<RegimeDetails>(),
        ];
        return new ComparisonResult(
            _machine.Name, "mixed", PageSizeNames.Of(hostPages), [inputs],
            [.. _regimes.Zip(_simulations, (regime, simulation) => Result(regime, simulation, nativeCycles))])
        {
            Details = details.Length == _regimes.Length ? new ComparisonDetails(details, new ReuseDistances(PageSizeNames.Of(PageSize.Size4K), 0, 0, [])) : null,
        };
    }

    /// <summary>Releases the second stage's tables.</summary>
    public void Dispose() => _secondStage.Dispose();

    private RegimeResult Result(Regime regime, LiveSimulation simulation, double? nativeCycles)
        => ResultBuilder.Build(regime, _machine, simulation, nativeCycles) with
        {
            ExitReasons = Exits(regime, simulation),
            OutrunWalks = simulation.Outrun,
            ReferencesNotShadowed = regime == Regime.Shadow ? _notShadowed : null,
        };

    private static Dictionary<string, long>? Exits(Regime regime, LiveSimulation simulation)
    {
        if (regime == Regime.Native)
        {
            return null;
        }

        EventCounters events = simulation.Hardware.Events;
        long pageFaults = regime == Regime.Shadow
            ? events.GuestPageFaults + events.ShadowFaults + events.DirtyFaults + events.ProtectedTableWrites + events.Unsyncs : 0;
        long control = events.OtherExits[(int)ExitReason.ControlRegister] + (regime == Regime.Shadow ? events.ContextSwitches : 0);
        return new Dictionary<string, long>
        {
            ["pageFault"] = pageFaults,
            ["controlRegister"] = control,
            ["invlpg"] = events.OtherExits[(int)ExitReason.Invlpg],
            ["io"] = events.OtherExits[(int)ExitReason.Io],
            ["hlt"] = events.OtherExits[(int)ExitReason.Halt],
            ["cpuid"] = events.OtherExits[(int)ExitReason.Cpuid],
            ["interrupt"] = events.OtherExits[(int)ExitReason.Interrupt],
            ["secondStage"] = events.SecondStageFaults,
            ["msr"] = events.OtherExits[(int)ExitReason.Msr],
            ["deviceMemory"] = events.OtherExits[(int)ExitReason.DeviceMemory],
        };
    }

    /// <summary>What the pager has done so far, as the events of shadow paging.</summary>
    private void Settle(Regime regime, LiveSimulation simulation)
    {
        if (regime != Regime.Shadow)
        {
            return;
        }

        ShadowStatistics pager = _guest.Pager.Statistics;
        EventCounters events = simulation.Hardware.Events;
        events.Unsyncs = pager.UnsyncFaults;
        events.DirtyFaults = pager.DirtyFaults;
        events.ShadowFaults = pager.FaultsFixed + pager.FaultsSpurious - pager.UnsyncFaults - pager.DirtyFaults;
        events.ProtectedTableWrites = pager.TableWrites;
        events.ShadowZaps = pager.Zapped;
    }

    private void LoadAll() => Load(in _registers, default);

    private LiveSimulation Create(Regime regime, RegimeHardware hardware, PageSize hostPages)
    {
        var reader = new LiveReader(_guest.Memory, _secondStage, _guest.Host, hardware.Meter);
        var own = new PagingSource<IdentityStage, LiveReader>(default, reader, _rules, hardware.WalkCaches);
        switch (regime)
        {
            case Regime.Native:
                return new LiveSimulation<NativeWalk>(new NativeWalk(own, _rules), hardware);
            case Regime.Ept:
                return Nested<EptFormat>(hardware, reader, hostPages);
            case Regime.Npt:
                return Nested<NptFormat>(hardware, reader, hostPages);
            default:
                var shadow = new TwoStageSource<X64FourLevel, IdentityStage, LiveReader>(
                    default, reader, TableKind.Shadow, hardware.WalkCaches);
                var shadowPae = new TwoStageSource<PaeFormat, IdentityStage, LiveReader>(default, reader, TableKind.Shadow);
                return new LiveSimulation<ShadowWalk>(new ShadowWalk(shadow, shadowPae, own, _guest), hardware);
        }
    }

    private LiveSimulation<NestedWalk<TFormat>> Nested<TFormat>(RegimeHardware hardware, LiveReader reader, PageSize hostPages)
        where TFormat : struct, IPageTableFormat
    {
        // Tables of each regime in a place of their own.
        ulong start = typeof(TFormat) == typeof(EptFormat) ? 1UL << 43 : 1UL << 44;
        var tables = new HostTableSpace(_secondStage, new FrameAllocator(start, start + (1UL << 40)));
        ulong root = tables.AllocateTable();
        var stage = new NestedStage<TFormat, LiveReader>(reader, root, RegimeFactory.SecondStageContext, hardware.NestedTlb, hardware.NestedCaches);
        var source = new PagingSource<NestedStage<TFormat, LiveReader>, LiveReader>(stage, reader, _rules, hardware.WalkCaches);
        return new LiveSimulation<NestedWalk<TFormat>>(new NestedWalk<TFormat>(source, _rules, tables, root, hostPages, hardware), hardware);
    }
}
