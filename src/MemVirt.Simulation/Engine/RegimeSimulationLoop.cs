using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Sources;
using MemVirt.Core.Tlb;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Engine;

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
