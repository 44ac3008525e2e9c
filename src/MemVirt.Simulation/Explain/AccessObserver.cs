using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Sources;
using MemVirt.Simulation.Engine;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Explain;

/// <summary>
/// Runs one reference of a simulation's only process as the hot loop does, one step after the other, and writes each down. The tests
/// hold the two equal.
/// </summary>
internal sealed class AccessObserver(Regime regime, MachineDescription machine, RegimeSimulation simulation)
{
    private const ulong OffsetMask = 0xFFF;
    private static readonly WalkRules ModelRules = new();
    private readonly RegimeHardware _hardware = simulation.Hardware;
    private readonly uint _context = (simulation.Hardware.VirtualProcessor << RegimeSimulation.PcidBits) | 1;

    /// <summary>Runs a reference.</summary>
    /// <param name="reference">The reference.</param>
    /// <param name="hypothetical">
    /// The translation, 0 or 1, whose walk is made where a TLB answered it, and with which the reference ends: such a walk leaves its
    /// traces. −1 for none.
    /// </param>
    internal IReadOnlyList<TranslationExplanation> Run(MemoryReference reference, int hypothetical)
    {
        ReferenceKind kind = reference.Kind;
        var translations = new List<TranslationExplanation> { Translate(reference.LinearAddress48, kind, hypothetical == 0) };
        if (reference.CrossesPage && hypothetical != 0)
        {
            ulong last = (reference.LinearAddress48 + (ulong)reference.SizeBytes - 1) & ~OffsetMask;
            translations.Add(Translate(last, kind, hypothetical == 1));
        }

        return translations;
    }

    private TranslationExplanation Translate(ulong address, ReferenceKind kind, bool walksAnyway)
    {
        bool isFetch = kind == ReferenceKind.Fetch;
        bool store = kind == ReferenceKind.Store;
        AccessRights needed = AccessRights.User | (isFetch ? AccessRights.Execute : store ? AccessRights.Write : AccessRights.Read);
        TlbLevel l1 = isFetch ? _hardware.L1i : _hardware.L1d;
        var attempts = new List<AttemptExplanation>();
        ulong page;
        do
        {
            l1.Lookups++;
        }
        while (!TryOnce(l1, address, needed, isFetch, store, walksAnyway, attempts, out page));

        if (!isFetch)
        {
            _hardware.DataCaches?.AccessByData((page & ~OffsetMask) | (address & OffsetMask));
        }

        return new TranslationExplanation(address, attempts, []);
    }

    /// <summary>One attempt; false where it ended in a fault, which has been mended.</summary>
    private bool TryOnce(
        TlbLevel l1, ulong address, AccessRights needed, bool isFetch, bool store, bool walksAnyway, List<AttemptExplanation> attempts,
        out ulong page)
    {
        var lookups = new List<TlbLookup>();
        EventCounts nothing = new(0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        if (TryTlbs(l1, address, isFetch, store, lookups, out page))
        {
            attempts.Add(new AttemptExplanation(lookups, walksAnyway ? Walk(address, needed) : null, true, nothing, 0));
            return true;
        }

        WalkExplanation walk = Walk(address, needed);
        Translation translation = walk.Outcome;
        if (walk.IsComplete)
        {
            _hardware.Meter.Completed();
            ulong storeOk = translation.StoreOk ? TlbLevel.StoreOk : 0;
            page = PageOf(translation.HostPage, address, translation.Size);
            l1.Fill(address, _context, page & ~OffsetMask, translation.Size, storeOk);
            _hardware.L2?.Fill(address, _context, page & ~OffsetMask, translation.Size, storeOk);
            attempts.Add(new AttemptExplanation(lookups, walk, false, nothing, 0));
            return true;
        }

        _hardware.Meter.Faulted();
        EventCounts before = _hardware.Events.ToCounts(regime);
        simulation.Mend(in translation, address, isFetch, store);
        EventCounts software = Difference(_hardware.Events.ToCounts(regime), before);
        attempts.Add(new AttemptExplanation(lookups, walk, false, software, ResultBuilder.SoftwareCycles(regime, software, machine.Costs)));
        return false;
    }

    private bool TryTlbs(TlbLevel l1, ulong address, bool isFetch, bool store, List<TlbLookup> lookups, out ulong page)
    {
        IReadOnlyList<TlbStructureDescription> first = isFetch ? machine.Tlb.L1i : machine.Tlb.L1d;
        if (TryFind(l1, isFetch ? TranslationCache.L1i : TranslationCache.L1d, first, address, store, lookups, out page, out _, out _))
        {
            return true;
        }

        l1.Misses++;
        if (_hardware.L2 is not { } l2)
        {
            return false;
        }

        l2.Lookups++;
        if (TryFind(l2, TranslationCache.L2, machine.Tlb.L2, address, store, lookups, out page, out PageSize size, out ulong storeOk))
        {
            l1.Fill(address, _context, page & ~OffsetMask, size, storeOk);
            return true;
        }

        l2.Misses++;
        return false;
    }

    private bool TryFind(
        TlbLevel level, TranslationCache name, IReadOnlyList<TlbStructureDescription> structures, ulong address, bool store,
        List<TlbLookup> lookups, out ulong page, out PageSize size, out ulong storeOk)
    {
        int holder = level.Holder(address, _context, out PageSize? held);
        bool isHit = level.TryFind(address, _context, store, out ulong payload, out size);
        page = PageOf(payload, address, size);
        storeOk = payload & TlbLevel.StoreOk;
        double cycles = isHit && name == TranslationCache.L2 ? structures[holder].Latency : 0;
        lookups.Add(new TlbLookup(name, isHit, holder >= 0 && !isHit, holder, held, cycles));
        return isHit;
    }

    private WalkExplanation Walk(ulong address, AccessRights needed)
    {
        RegimeTables tables = simulation.Tables!;
        var recorder = new WalkRecorder(_hardware, machine, BareWalk.References(regime, tables, ModelRules, address, needed));
        _hardware.Meter.Recording = recorder;
        Translation outcome = simulation.WalkOnce(address, needed);
        _hardware.Meter.Recording = null;
        return recorder.Ended(address, outcome, tables.Host);
    }

    private static ulong PageOf(ulong payload, ulong address, PageSize size)
        => (payload & ~OffsetMask) | (address & (size.SizeBytes() - 1) & ~OffsetMask);

    private static EventCounts Difference(EventCounts after, EventCounts before) => new(
        after.GuestPageFaults - before.GuestPageFaults,
        after.PageTableWrites - before.PageTableWrites,
        after.ContextSwitches - before.ContextSwitches,
        after.SecondStageFaults - before.SecondStageFaults,
        after.ShadowFaults - before.ShadowFaults,
        after.DirtyFaults - before.DirtyFaults,
        after.ProtectedTableWrites - before.ProtectedTableWrites,
        after.Unsyncs - before.Unsyncs,
        after.ShadowZaps - before.ShadowZaps,
        after.Exits - before.Exits);
}
