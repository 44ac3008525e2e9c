using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;
using MemVirt.Core.Tlb;
using MemVirt.Simulation.Engine;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Live;

/// <summary>One regime on one machine, fed by a running guest with references and with what its registers and invalidations do.</summary>
internal abstract class LiveSimulation(RegimeHardware hardware) : RegimeSimulation(hardware)
{
    /// <summary>The context that global translations are entered under.</summary>
    private protected const uint GlobalContext = 0;

    private protected uint Context { get; private set; } = 1;

    /// <summary>No page of 4 KiB.</summary>
    private protected const ulong NoPage = ulong.MaxValue;

    /// <summary>
    /// The page of the last data reference, which the L1 data TLB holds as the most recent of its set: another access to it hits and changes
    /// nothing.
    /// </summary>
    private protected ulong LastPage { get; set; } = NoPage;

    private readonly uint[] _ofProcess = new uint[1 << PcidBits];
    private uint _last = 1;

    /// <summary>Walks that found the tables changed since the reference was made; they are left out.</summary>
    internal long Outrun { get; private protected set; }

    /// <summary>The guest's registers have changed.</summary>
    internal abstract void Load(in PagingRegisters registers, PageDirectoryPointers pointers);

    /// <summary>Counts instructions: the fetches of a block are one reference, of its first page.</summary>
    internal void Retire(long instructions)
    {
        Fetches += instructions;
        References += instructions;
        Simulated += instructions;
    }

    /// <summary>Counts references that were run.</summary>
    internal void CountData(long references)
    {
        References += references;
        Simulated += references;
    }

    /// <summary>A process is current, its translations kept or not.</summary>
    internal void SwitchTo(ushort process, bool keeps)
    {
        ref uint number = ref _ofProcess[process];
        if (!keeps || number == 0)
        {
            number = NewContext();
        }

        Context = number;
        LastPage = NoPage;
        ContextChanged();
    }

    /// <summary>INVLPG, INVPCID type 0.</summary>
    internal void Invalidate(ulong address)
    {
        address &= MemoryReference.AddressMask;
        LastPage = NoPage;
        foreach (uint context in (ReadOnlySpan<uint>)[Context, GlobalContext])
        {
            Hardware.L1i.Drop(address, context);
            Hardware.L1d.Drop(address, context);
            Hardware.L2?.Drop(address, context);
            Hardware.WalkCaches?.Drop(Signed(address), context);
        }
    }

    /// <summary>Everything goes, global translations too.</summary>
    internal void InvalidateAll()
    {
        ClearHardware();
        Array.Clear(_ofProcess);
        _last = 0;
    }

    /// <summary>Everything goes; the contexts stay.</summary>
    private protected void ClearHardware()
    {
        LastPage = NoPage;
        Hardware.L1i.Clear();
        Hardware.L1d.Clear();
        Hardware.L2?.Clear();
        Hardware.WalkCaches?.Clear();
    }

    /// <summary>The address that a walk is made for: the TLBs know 48 bits of it, the walk caches 57.</summary>
    private protected static ulong Signed(ulong address) => (ulong)((long)(address << 16) >> 16) & ((1UL << 57) - 1);

    private protected abstract void ContextChanged();

    private uint NewContext()
    {
        if (_last == TlbTag.MaxContext)
        {
            InvalidateAll();
        }

        return ++_last;
    }
}

/// <summary>The same, specialised by the regime's walk.</summary>
internal sealed class LiveSimulation<TWalk>(TWalk walk, RegimeHardware hardware) : LiveSimulation(hardware)
    where TWalk : struct, ILiveWalk
{
    private const ulong OffsetMask = 0xFFF;
    private const int PageShift = 12;
    private TWalk _walk = walk;
    private PagingRegisters _registers;
    private PageDirectoryPointers _pointers;
    private ulong _lastPayload;

    internal override void Load(in PagingRegisters registers, PageDirectoryPointers pointers)
    {
        _registers = registers;
        _pointers = pointers;
        _walk.Load(in registers, pointers, Context);
    }

    private protected override void ContextChanged() => _walk.Load(in _registers, _pointers, Context);

    private protected override void Select(int process)
    {
        // Contexts follow CR3.
    }

    private protected override void RunStripped(
        ReadOnlySpan<MemoryReference> references, ReadOnlySpan<MemoryReference> kept, ReadOnlySpan<ushort> positions, int fetches)
        => throw new NotSupportedException("A running guest's references are not stripped.");

    internal override Translation WalkOnce(ulong address, AccessRights needed) => _walk.Walk(address, needed);

    internal override void Mend(in Translation fault, ulong address, bool isFetch, bool store)
    {
        // The walk mends what is a second stage's.
    }

    private protected override void RunAll(ReadOnlySpan<MemoryReference> references)
    {
        if (!_walk.IsPaging)
        {
            return;
        }

        if (_walk.TakeFlush())
        {
            ClearHardware();
        }

        // The run has judged each access: data is walked with every right, so that an implicit supervisor access at CPL 3 is not denied.
        const AccessRights Privilege = AccessRights.AlignmentCheck;
        AccessRights ofFetch = AccessRights.Execute | (_registers.CurrentPrivilegeLevel == 3 ? AccessRights.User : AccessRights.None);
        foreach (MemoryReference reference in references)
        {
            ulong address = reference.LinearAddress48;
            if (reference.Kind == ReferenceKind.Fetch)
            {
                Translate(Hardware.L1i, address, ofFetch, store: false);
                continue;
            }

            bool store = reference.Kind == ReferenceKind.Store;
            AccessRights needed = Privilege | (store ? AccessRights.Write : AccessRights.Read);
            Hardware.L1d.Lookups++;
            if (address >> PageShift != LastPage || (store && (_lastPayload & TlbLevel.StoreOk) == 0))
            {
                _lastPayload = Translate(Hardware.L1d, address, needed, store);
                LastPage = _lastPayload == 0 ? NoPage : address >> PageShift;
            }

            Hardware.DataCaches?.AccessByData((_lastPayload & ~OffsetMask) | (address & OffsetMask));
            if (reference.CrossesPage)
            {
                Crossings++;
                Hardware.L1d.Lookups++;
                LastPage = NoPage;
                Translate(Hardware.L1d, (address + (ulong)reference.SizeBytes - 1) & ~OffsetMask & MemoryReference.AddressMask, needed, store);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong Translate(TlbLevel l1, ulong address, AccessRights needed, bool store)
    {
        return l1.TryFind(address, Context, store, out ulong payload, out PageSize size)
            ? HostPageOf(payload, address, size)
            : TranslateBeyond(l1, address, needed, store);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ulong TranslateBeyond(TlbLevel l1, ulong address, AccessRights needed, bool store)
    {
        if (l1.TryFind(address, GlobalContext, store, out ulong payload, out PageSize size))
        {
            return HostPageOf(payload, address, size);
        }

        l1.Misses++;
        if (Hardware.L2 is { } l2)
        {
            l2.Lookups++;
            uint context = Context;
            bool found = l2.TryFind(address, context, store, out payload, out size);
            if (!found)
            {
                context = GlobalContext;
                found = l2.TryFind(address, context, store, out payload, out size);
            }

            if (found)
            {
                ulong hit = HostPageOf(payload, address, size);
                l1.Fill(address, context, hit & ~OffsetMask, size, payload & TlbLevel.StoreOk);
                return hit;
            }

            l2.Misses++;
        }

        Translation translation = _walk.Walk(Signed(address), needed);
        if (translation.Status != TranslationStatus.Ok)
        {
            // A page fault drops what is kept for its address (Intel SDM Vol. 3A §4.10.4.1).
            Hardware.Meter.Faulted();
            Invalidate(address);
            Outrun += store && _walk.IsEmulated(Signed(address)) ? 0 : 1;
            return 0;
        }

        Hardware.Meter.Completed();
        ulong storeOk = translation.StoreOk || store ? TlbLevel.StoreOk : 0;
        uint entered = translation.IsGlobal ? GlobalContext : Context;
        ulong walked = HostPageOf(translation.HostPage | storeOk, address, translation.Size);
        l1.Fill(address, entered, walked & ~OffsetMask, translation.Size, storeOk);
        Hardware.L2?.Fill(address, entered, walked & ~OffsetMask, translation.Size, storeOk);
        return walked;
    }

    private static ulong HostPageOf(ulong payload, ulong address, PageSize size)
        => payload | (address & (size.SizeBytes() - 1) & ~OffsetMask);
}
