using System.Diagnostics;
using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Tlb;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Explain;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Engine;

/// <summary>The hardware around a regime's walk, and where it counts.</summary>
internal sealed record RegimeHardware(
    TlbLevel L1i,
    TlbLevel L1d,
    TlbLevel? L2,
    PagingStructureCaches? WalkCaches,
    PagingStructureCaches? NestedCaches,
    NestedTlb? NestedTlb,
    DataCaches? DataCaches,
    WalkMeter Meter,
    EventCounters Events,
    SliceRecorder? Slices,
    uint VirtualProcessor);

/// <summary>One regime on one machine, fed with references.</summary>
internal abstract class RegimeSimulation(RegimeHardware hardware)
{
    /// <summary>Bits of a context number that hold the PCID; VPID or ASID stands above.</summary>
    internal const int PcidBits = 12;

    internal RegimeHardware Hardware { get; } = hardware;

    /// <summary>References since the warm-up.</summary>
    internal long References { get; private protected set; }

    /// <summary>Instruction fetches since the warm-up.</summary>
    internal long Fetches { get; private protected set; }

    /// <summary>References since the warm-up whose bytes lie in two pages.</summary>
    internal long Crossings { get; private protected set; }

    /// <summary>Time spent on batches, their stripping and the warm-up included, in <see cref="Stopwatch"/> ticks.</summary>
    internal long Ticks { get; private protected set; }

    /// <summary>References simulated, the warm-up included.</summary>
    internal long Simulated { get; private protected set; }

    /// <summary>Bytes allocated on the managed heap while batches ran.</summary>
    internal long AllocatedBytes { get; private protected set; }

    /// <summary>How references are stripped for this regime; null where none can be left out.</summary>
    internal StripGeometry? StripGeometry { get; } = GeometryOf(hardware);

    /// <summary>Which of a batch's stripped references are this regime's, or −1.</summary>
    internal int Stripping { get; set; } = -1;

    /// <summary>Runs a batch.</summary>
    internal void Run(ReferenceBatch batch)
    {
        long start = Stopwatch.GetTimestamp();
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        StrippedReferences? stripped = Stripping < 0 ? null : batch.Stripped[Stripping];
        MayStrip = stripped is not null;
        int kept = 0;
        for (int i = 0; i < batch.Segments.Length; i++)
        {
            BatchSegment segment = batch.Segments[i];
            StrippedSegment left = stripped is null ? default : stripped.Segments[i];
            Select(segment.Process);
            if (MayStrip)
            {
                RunStripped(batch.Of(segment), stripped!.Kept(kept, left.Kept), stripped.Positions(kept, left.Kept), left.Fetches);
            }
            else
            {
                RunAll(batch.Of(segment));
            }

            kept += left.Kept;
            References += segment.Length;
            Simulated += segment.Length;
            if (segment.EndsWarmup)
            {
                ResetCounters();
            }
            else if (segment.EndsGranule)
            {
                Hardware.Slices?.Read(this);
            }
        }

        AllocatedBytes += GC.GetAllocatedBytesForCurrentThread() - allocated;
        Ticks += Stopwatch.GetTimestamp() - start + (stripped?.Ticks ?? 0);
    }

    /// <summary>Runs references of one process, none left out.</summary>
    internal void Run(ReadOnlySpan<MemoryReference> references, int process)
    {
        Select(process);
        RunAll(references);
        References += references.Length;
        Simulated += references.Length;
    }

    /// <summary>
    /// Whether what was stripped of the batch in progress can be left out. An entry that is dropped without an access to its set ends
    /// that, up to the next batch.
    /// </summary>
    private protected bool MayStrip { get; set; }

    /// <summary>Runs every reference of a segment.</summary>
    private protected abstract void RunAll(ReadOnlySpan<MemoryReference> references);

    /// <summary>Runs what is left of a segment; all of it from where <see cref="MayStrip"/> ends.</summary>
    private protected abstract void RunStripped(
        ReadOnlySpan<MemoryReference> references, ReadOnlySpan<MemoryReference> kept, ReadOnlySpan<ushort> positions, int fetches);

    /// <summary>Makes a process the running one.</summary>
    private protected abstract void Select(int process);

    /// <summary>Where the tables lie, for <c>memvirt walk</c>.</summary>
    internal RegimeTables? Tables { get; init; }

    /// <summary>One hardware walk, outside every count but the meter's.</summary>
    internal abstract Translation WalkOnce(ulong address, AccessRights needed);

    /// <summary>Lets software mend the fault of <see cref="WalkOnce"/>, and drops what that asks for.</summary>
    internal abstract void Mend(in Translation fault, ulong address, bool isFetch, bool store);

    /// <summary>The end of the warm-up: counters to 0, contents kept.</summary>
    internal void ResetCounters()
    {
        References = Fetches = Crossings = 0;
        Hardware.L1i.ResetCounts();
        Hardware.L1d.ResetCounts();
        Hardware.L2?.ResetCounts();
        Hardware.WalkCaches?.ResetHits();
        Hardware.NestedCaches?.ResetHits();
        Hardware.NestedTlb?.ResetHits();
        Hardware.DataCaches?.ResetCounts();
        Hardware.Meter.Reset();
        Hardware.Events.Reset();
        Hardware.Slices?.Clear();
    }

    /// <summary>Data caches want every reference, and a level of several structures or none cannot be told in advance.</summary>
    private static StripGeometry? GeometryOf(RegimeHardware hardware)
        => hardware is { DataCaches: null, L1i.OnlyArray: { } fetches, L1d.OnlyArray: { } data }
            ? Engine.StripGeometry.Of(fetches.Geometry, hardware.L1i.OnlySize, data.Geometry, hardware.L1d.OnlySize)
            : null;
}

/// <summary>The simulation's hot loop, specialised by the regime.</summary>
internal sealed class RegimeSimulation<TModel>(TModel model, RegimeHardware hardware) : RegimeSimulation(hardware)
    where TModel : struct, IRegimeModel
{
    private const ulong OffsetMask = 0xFFF;

    /// <summary>Stands for a first level that several look-ups probe: nothing is ever found here.</summary>
    private static readonly TagArray _none = new(new SetGeometry(1, 1));
    private readonly TlbLevel _l1i = hardware.L1i;
    private readonly TlbLevel _l1d = hardware.L1d;
    private readonly TlbLevel? _l2 = hardware.L2;
    private readonly DataCaches? _dataCaches = hardware.DataCaches;
    private readonly WalkMeter _meter = hardware.Meter;
    private TModel _model = model;
    private int _process = -1;
    private uint _context;

    // Nearly every reference finds its page as the most recent of its set, which changes nothing: those never leave the loop.
    private readonly TagArray _fetchFront = hardware.L1i.OnlyArray ?? _none;
    private readonly TagArray _dataFront = hardware.L1d.OnlyArray ?? _none;
    private readonly PageSize _fetchSize = hardware.L1i.OnlySize;
    private readonly PageSize _dataSize = hardware.L1d.OnlySize;

    /// <summary>Host address of the 4 KiB page accessed last by data.</summary>
    private ulong _dataHostPage;

    private protected override void RunAll(ReadOnlySpan<MemoryReference> references)
    {
        long fetches = 0;
        long crossings = 0;
        TagArray fetchFront = _fetchFront;
        TagArray dataFront = _dataFront;
        int fetchShift = (int)_fetchSize;
        int dataShift = (int)_dataSize;
        ulong fetchPrefix = TlbTag.Prefix(_fetchSize, _context);
        ulong dataPrefix = TlbTag.Prefix(_dataSize, _context);
        ulong withinPage = _dataSize.SizeBytes() - 1;
        DataCaches? dataCaches = _dataCaches;
        foreach (MemoryReference reference in references)
        {
            ulong address = reference.LinearAddress48;
            ReferenceKind kind = reference.Kind;
            if (kind == ReferenceKind.Fetch)
            {
                fetches++;
                ulong number = address >> fetchShift;
                if (!fetchFront.IsMostRecent(number | fetchPrefix, number, out _))
                {
                    TranslateFetch(address);
                }
            }
            else
            {
                ulong number = address >> dataShift;
                if (dataFront.IsMostRecent(number | dataPrefix, number, out ulong payload)
                    && (kind == ReferenceKind.Load || (payload & TlbLevel.StoreOk) != 0))
                {
                    dataCaches?.AccessByData((payload & ~OffsetMask) | (address & withinPage));
                }
                else
                {
                    TranslateData(address, kind == ReferenceKind.Store);
                    dataCaches?.AccessByData(_dataHostPage | (address & OffsetMask));
                }
            }

            if (reference.CrossesPage)
            {
                crossings++;
                TranslateLastPage(reference);
            }
        }

        Crossings += crossings;
        CountLookups(references.Length, fetches);
    }

    private protected override void RunStripped(
        ReadOnlySpan<MemoryReference> references, ReadOnlySpan<MemoryReference> kept, ReadOnlySpan<ushort> positions, int fetches)
    {
        ulong fetchPrefix = TlbTag.Prefix(_fetchSize, _context);
        ulong dataPrefix = TlbTag.Prefix(_dataSize, _context);
        for (int i = 0; i < kept.Length; i++)
        {
            MemoryReference reference = kept[i];
            ulong address = reference.LinearAddress48;
            if (reference.Kind == ReferenceKind.Fetch)
            {
                ulong number = address >> (int)_fetchSize;
                if (_fetchFront.Find(number | fetchPrefix, number) < 0)
                {
                    TranslateFetch(address);
                }
            }
            else
            {
                ulong number = address >> (int)_dataSize;
                int index = _dataFront.Find(number | dataPrefix, number);
                if (index < 0 || (reference.Kind == ReferenceKind.Store && (_dataFront.Payload(index) & TlbLevel.StoreOk) == 0))
                {
                    TranslateData(address, reference.Kind == ReferenceKind.Store);
                }
            }

            if (reference.CrossesPage)
            {
                Crossings++;
                TranslateLastPage(reference);
            }

            if (!MayStrip)
            {
                int done = positions[i] + 1;
                RunAll(references[done..]);
                CountLookups(done, CountFetches(references[..done]));
                return;
            }
        }

        CountLookups(references.Length, fetches);
    }

    private protected override void Select(int process)
    {
        if (process == _process)
        {
            return;
        }

        if (_process >= 0)
        {
            Hardware.Events.ContextSwitches++;
        }

        _process = process;
        _context = (Hardware.VirtualProcessor << PcidBits) | (uint)(process + 1);
        _model.SwitchTo(process, _context);
    }

    private static int CountFetches(ReadOnlySpan<MemoryReference> references)
    {
        int fetches = 0;
        foreach (MemoryReference reference in references)
        {
            fetches += reference.Kind == ReferenceKind.Fetch ? 1 : 0;
        }

        return fetches;
    }

    /// <summary>Counts the first look-up of references.</summary>
    private void CountLookups(int references, long fetches)
    {
        Fetches += fetches;
        _l1i.Lookups += fetches;
        _l1d.Lookups += references - fetches;
    }

    internal override Translation WalkOnce(ulong address, AccessRights needed) => _model.Walk(address, needed);

    internal override void Mend(in Translation fault, ulong address, bool isFetch, bool store)
        => HandleFault(in fault, isFetch ? _l1i : _l1d, address, store);

    /// <summary>The second translation of a crossing: the last byte's page at its offset 0.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void TranslateLastPage(MemoryReference reference)
    {
        ulong address = (reference.LinearAddress48 + (ulong)reference.SizeBytes - 1) & ~OffsetMask;
        if (reference.Kind == ReferenceKind.Fetch)
        {
            _l1i.Lookups++;
            TranslateFetch(address);
        }
        else
        {
            _l1d.Lookups++;
            TranslateData(address, reference.Kind == ReferenceKind.Store);
            _dataCaches?.AccessByData(_dataHostPage);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void TranslateFetch(ulong address)
    {
        _ = Translate(_l1i, address, AccessRights.Execute | AccessRights.User, store: false);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void TranslateData(ulong address, bool store)
    {
        AccessRights needed = AccessRights.User | (store ? AccessRights.Write : AccessRights.Read);
        ulong payload = Translate(_l1d, address, needed, store);
        _dataHostPage = payload & ~OffsetMask;
    }

    /// <summary>Translates until no fault is left; returns the host address of the 4 KiB page, with store-ok in bit 0.</summary>
    private ulong Translate(TlbLevel l1, ulong address, AccessRights needed, bool store)
    {
        while (true)
        {
            if (l1.TryFind(address, _context, store, out ulong payload, out PageSize size))
            {
                return HostPageOf(payload, address, size);
            }

            l1.Misses++;
            if (_l2 is not null)
            {
                _l2.Lookups++;
                if (_l2.TryFind(address, _context, store, out payload, out size))
                {
                    ulong hit = HostPageOf(payload, address, size);
                    l1.Fill(address, _context, hit & ~OffsetMask, size, payload & TlbLevel.StoreOk);
                    return hit;
                }

                _l2.Misses++;
            }

            Translation translation = _model.Walk(address, needed);
            if (translation.Status == TranslationStatus.Ok)
            {
                _meter.Completed();
                ulong storeOk = translation.StoreOk ? TlbLevel.StoreOk : 0;
                ulong walked = HostPageOf(translation.HostPage | storeOk, address, translation.Size);
                l1.Fill(address, _context, walked & ~OffsetMask, translation.Size, storeOk);
                _l2?.Fill(address, _context, walked & ~OffsetMask, translation.Size, storeOk);
                return walked;
            }

            _meter.Faulted();
            HandleFault(in translation, l1, address, store);
            l1.Lookups++;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void HandleFault(in Translation fault, TlbLevel l1, ulong address, bool store)
    {
        switch (_model.HandleFault(in fault, address, store))
        {
            case FaultEffect.DropAddress:
                TlbLevel other = l1 == _l1i ? _l1d : _l1i;
                MayStrip &= !other.Drop(address, _context);
                _ = l1.Drop(address, _context);
                _ = _l2?.Drop(address, _context);
                Hardware.WalkCaches?.Drop(address, _context);
                break;
            case FaultEffect.FlushAll:
                MayStrip = false;
                _l1i.Clear();
                _l1d.Clear();
                _l2?.Clear();
                Hardware.WalkCaches?.Clear();
                break;
        }
    }

    private static ulong HostPageOf(ulong payload, ulong address, PageSize size)
        => payload | (address & (size.SizeBytes() - 1) & ~OffsetMask);
}
