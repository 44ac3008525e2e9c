using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Registers;
using MemVirt.Core.Shadow;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Engine;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Explain;

/// <summary>
/// Explains one access to tables made for it: maps its page by a first touch, as the comparison's guest does, changes what is asked
/// for, then makes the access with every cache empty.
/// </summary>
public static class WalkExplainer
{
    /// <summary>Shadow tables are filled in at once; more attempts than these are a fault of ours.</summary>
    private const int MostAttempts = 4;

    /// <summary>Explains an access under a regime.</summary>
    /// <param name="regime">The regime.</param>
    /// <param name="setup">The access and its tables.</param>
    /// <exception cref="NotSupportedException">Shadow paging of a guest whose registers it does not follow (CR0.WP is 0 and CR4.SMAP is 1).</exception>
    /// <exception cref="ArgumentException">An edit is for an entry that the walk does not pass.</exception>
    public static AccessExplanation Explain(Regime regime, WalkSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        WalkRules rules = RulesOf(regime, setup);
        RegimeSimulation simulation = RegimeFactory.Create(
            regime, FirstTouchMachine, setup.GuestPages, setup.HostPages, processes: 1,
            rules: regime == Regime.Shadow ? GuestRulesOf(setup, ProcessorVendor.Intel) : null);
        var access = new MemoryReference(KindOf(setup.Access), setup.Address.Value, sizeBytes: 1);
        simulation.Run([access], process: 0);
        EventCounts firstTouch = simulation.Hardware.Events.ToCounts(regime);
        RegimeTables tables = simulation.Tables!;
        TableEdits.Apply(regime, tables, setup);

        RegimeHardware hardware = RegimeFactory.Hardware(regime, setup.Machine, setup.GuestPages, setup.HostPages);
        var bench = new Bench(regime, setup, tables, rules, hardware);
        ulong address = setup.Address.Value & MemoryReference.AddressMask;
        List<AttemptExplanation> attempts = Attempts(bench, address, NeededBy(setup));
        WalkExplanation? again = attempts[^1].Walk!.IsComplete ? bench.Walk(address, NeededBy(setup)) : null;
        return new AccessExplanation(regime, access, [new TranslationExplanation(address, attempts, [], again)], firstTouch);
    }

    private static List<AttemptExplanation> Attempts(Bench bench, ulong address, AccessRights needed)
    {
        var attempts = new List<AttemptExplanation>();
        while (true)
        {
            WalkExplanation walk = bench.Walk(address, needed);
            if (walk.IsComplete || bench.Tables.Pager is not { } pager || attempts.Count == MostAttempts)
            {
                attempts.Add(new AttemptExplanation([], walk, false, EventsOf(null), 0));
                return attempts;
            }

            bool notPresent = walk.Outcome.Status == Core.Faults.TranslationStatus.GuestNotPresent;
            ShadowFaultOutcome outcome = pager.HandleFault(address, needed, notPresent, out Translation guestFault);
            EventCounts software = EventsOf(outcome.Kind);
            double cycles = ResultBuilder.SoftwareCycles(Regime.Shadow, software, bench.Setup.Machine.Costs);
            bool isGuests = outcome.Kind == ShadowFaultKind.Guest;
            attempts.Add(new AttemptExplanation([], walk, false, software, cycles, outcome.Kind, isGuests ? guestFault : null));
            if (outcome.Kind is not (ShadowFaultKind.Shadow or ShadowFaultKind.Dirty))
            {
                return attempts;
            }

            bench.Forget(address);
        }
    }

    private static EventCounts EventsOf(ShadowFaultKind? kind) => new(
        kind == ShadowFaultKind.Guest ? 1 : 0, 0, 0, 0, kind == ShadowFaultKind.Shadow ? 1 : 0, kind == ShadowFaultKind.Dirty ? 1 : 0, 0, 0, 0,
        kind is null ? 0 : 1);

    private static ReferenceKind KindOf(MemoryAccess access) => access switch
    {
        MemoryAccess.Fetch => ReferenceKind.Fetch,
        MemoryAccess.Write => ReferenceKind.Store,
        _ => ReferenceKind.Load,
    };

    private static AccessRights NeededBy(WalkSetup setup)
        => (AccessRights)setup.Access
           | (setup.Registers.CurrentPrivilegeLevel == 3 ? AccessRights.User
               : setup.Registers.AlignmentCheck ? AccessRights.AlignmentCheck : AccessRights.None);

    private static GuestRules GuestRulesOf(WalkSetup setup, ProcessorVendor vendor)
        => new(new ProcessorFeatures { Vendor = vendor, PhysicalAddressBits = setup.PhysicalAddressBits }, setup.Registers);

    private static WalkRules RulesOf(Regime regime, WalkSetup setup)
    {
        int bits = setup.PhysicalAddressBits;
        return regime switch
        {
            Regime.Native => new WalkRules(GuestRulesOf(setup, ProcessorVendor.Intel)),
            Regime.Shadow => new WalkRules(new GuestRules(ProcessorFeatures.Everything, setup.Registers)),
            Regime.Ept => new WalkRules(
                GuestRulesOf(setup, ProcessorVendor.Intel), SecondStageRules.Ept(EptSettings.Default with { PhysicalAddressBits = bits })),
            _ => new WalkRules(
                GuestRulesOf(setup, ProcessorVendor.Amd),
                SecondStageRules.Npt(new NptSettings { Host = new ProcessorFeatures { Vendor = ProcessorVendor.Amd, PhysicalAddressBits = bits } })),
        };
    }

    /// <summary>The smallest machine there is, for the first touch: one TLB entry, no caches.</summary>
    private static MachineDescription FirstTouchMachine { get; } = new()
    {
        Name = "walk",
        Tlb = new TlbDescription { L1i = [OneEntry], L1d = [OneEntry] },
        Costs = new CostDescription
        {
            BaseCpi = 0, Overlap = 0, GuestFaultCycles = 0, ContextSwitchCycles = 0, ExitCycles = 0, HandlerCycles = new HandlerCycles(),
        },
    };

    private static TlbStructureDescription OneEntry => new() { Entries = 1, PageSizes = [PageSize.Size4K] };

    /// <summary>The machine's walk caches and data caches over the tables.</summary>
    private sealed class Bench(Regime regime, WalkSetup setup, RegimeTables tables, WalkRules rules, RegimeHardware hardware)
    {
        private readonly TableWalker _walker
            = TableWalker.Create(regime, tables, rules, new MeteredReader(tables.Host, hardware.Meter), hardware);

        internal WalkSetup Setup => setup;

        internal RegimeTables Tables => tables;

        internal WalkExplanation Walk(ulong address, AccessRights needed)
        {
            var recorder = new WalkRecorder(hardware, setup.Machine, BareWalk.References(regime, tables, rules, address, needed));
            hardware.Meter.Recording = recorder;
            Translation outcome = _walker.Walk(tables.HardwareRoot, address, needed);
            hardware.Meter.Recording = null;
            return recorder.Ended(address, outcome, tables.Host);
        }

        /// <summary>What a fault that software has mended drops.</summary>
        internal void Forget(ulong address) => hardware.WalkCaches?.Drop(address, (hardware.VirtualProcessor << RegimeSimulation.PcidBits) | 1);
    }
}
