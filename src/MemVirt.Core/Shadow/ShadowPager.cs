using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Sources;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Shadow;

/// <summary>
/// The VMM's side of shadow paging, after KVM's shadow MMU: tables that map guest-virtual to host-physical addresses, built on
/// faults from the guest's own. Guest tables at level 1 and up are write-protected; leaf tables go out of sync on their first
/// write; the third write to a protected table without a use in between removes its shadow; the shadow leaf is writable when
/// the guest's dirty bit is set; pages larger in the guest than in the host are split by direct tables; an address without
/// memory is remembered in the shadow leaf. Memory besides the tables: 8 bytes for each host page mapped, 16 for each further
/// leaf that maps it, and about 200 bytes a shadow page.
/// </summary>
public sealed class ShadowPager
{
    private const int PrefetchGroup = 8;
    private readonly GuestMemory _guest;
    private readonly GuestRules _rules;
    private readonly ShadowTables _tables;
    private readonly RecentRoots _roots = new();
    private readonly int _backingLevel;
    private int _mmioGeneration;
    private int _rootPage;

    /// <summary>Shadow paging of a guest, its shadow tables taken from <paramref name="hostFrames"/>.</summary>
    /// <param name="host">Host memory.</param>
    /// <param name="guest">The guest's memory.</param>
    /// <param name="hostFrames">Where shadow tables come from.</param>
    /// <param name="pool">The limit of shadow pages; null for none, and a frame of its own for every table ever made.</param>
    /// <param name="rules">What the guest's registers make of its tables; null for four-level paging with WP and NXE.</param>
    /// <exception cref="ArgumentOutOfRangeException">The limit is below 64.</exception>
    public ShadowPager(
        SparseMemory host, GuestMemory guest, FrameAllocator hostFrames, ShadowPoolOptions? pool = null, GuestRules? rules = null)
    {
        if (pool is not null)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(pool.MaxPages, 64);
        }

        _guest = guest;
        _rules = rules ?? GuestRules.Default;
        _tables = new ShadowTables(host, guest, hostFrames, pool, Statistics);
        _backingLevel = guest.BackingSize.LeafLevel();
    }

    /// <summary>What has been done so far.</summary>
    public ShadowStatistics Statistics { get; } = new();

    /// <summary>The host-physical address of the shadow root that the hardware walks.</summary>
    public ulong ShadowRoot { get; private set; }

    /// <summary>The guest-physical address of the last store to a protected guest table, or of the last access to MMIO.</summary>
    public ulong LastFaultAddress { get; private set; }

    /// <summary>Whether any guest page has been split into smaller shadow pages so far.</summary>
    public bool SplitsPages { get; private set; }

    /// <summary>Shadow tables in use.</summary>
    public int ShadowPages => _tables.Count;

    /// <summary>
    /// Where the guest has no memory but devices, by guest-physical address; null for nowhere below the memory's limit. When the
    /// answer changes, <see cref="MemorySlotsChanged"/> must be called.
    /// </summary>
    public Predicate<ulong>? IsMmio { get; set; }

    /// <summary>
    /// Who is told of pages that become writable; null for nobody. To arm it, <see cref="WriteProtect"/> what is logged. While it is set,
    /// neighbours that would be writable are not prefetched.
    /// </summary>
    public IWriteLog? WriteLog
    {
        get => _tables.WriteLog;
        set => _tables.WriteLog = value;
    }

    /// <summary>
    /// The guest loads CR3 with bit 63 set. A root that is neither current nor one of the three loaded before it has its process's
    /// leaf tables put in sync again. Returns whether the guest's TLBs must be flushed.
    /// </summary>
    public bool LoadRoot(ulong guestRoot)
    {
        bool flush = !_roots.Load(guestRoot) && _tables.Synchronise(guestRoot);
        flush |= _tables.MakeRoom(keep: -1);
        ObtainRoot(ref flush);
        return flush;
    }

    /// <summary>
    /// The guest flushes its TLB: every leaf table is put in sync again. Returns whether the guest's TLBs must be flushed beyond what the
    /// guest asked for: a mapping of a table lost its write right.
    /// </summary>
    public bool Synchronise() => _tables.Synchronise(guestRoot: null);

    /// <summary>The guest executes INVLPG: the entries of the address are put in sync again, their tables stay out of sync.</summary>
    public void SynchroniseAddress(ulong address) => _tables.SynchroniseAddress(address);

    /// <summary>
    /// Memory slots came, went or moved: what was remembered of addresses without memory no longer counts. Costs nothing but once in
    /// 2,047 times, when the generations start over and every shadow page goes; then the result asks for a flush.
    /// </summary>
    public bool MemorySlotsChanged()
    {
        _mmioGeneration = (_mmioGeneration + 1) % MmioEntries.Generations;
        if (_mmioGeneration != 0)
        {
            return false;
        }

        _tables.ZapAll();
        bool flush = true;
        ObtainRoot(ref flush);
        return true;
    }

    /// <summary>
    /// The host takes the memory behind a range away (KVM's MMU notifier): no shadow leaf maps it from now on. Returns whether the
    /// guest's TLBs must be flushed before it is used otherwise.
    /// </summary>
    public bool Unmap(ulong gpa, ulong lengthBytes)
    {
        bool flush = false;
        for (ulong page = gpa & AddressBits.Frame; page < gpa + lengthBytes; page += PageSize.Size4K.SizeBytes())
        {
            flush |= _guest.TryResolve(page, out ulong hpa) && _tables.Leaves.Unmap(hpa);
        }

        return flush;
    }

    /// <summary>
    /// Takes the write right from every shadow leaf that maps a range, to log writes. Returns whether the guest's TLBs must be flushed
    /// before the log is read.
    /// </summary>
    public bool WriteProtect(ulong gpa, ulong lengthBytes)
    {
        bool flush = false;
        for (ulong page = gpa & AddressBits.Frame; page < gpa + lengthBytes; page += PageSize.Size4K.SizeBytes())
        {
            flush |= _guest.TryResolve(page, out ulong hpa) && _tables.Leaves.WithholdWrite(hpa);
        }

        return flush;
    }

    /// <summary>Handles a fault of the hardware on the current shadow tables; bits 47:0 of the linear address count.</summary>
    /// <param name="address">The linear address.</param>
    /// <param name="isStore">Whether the access was a store.</param>
    /// <param name="notPresent">Whether the hardware met an absent entry, rather than a read-only leaf.</param>
    public ShadowFaultOutcome HandleFault(ulong address, bool isStore, bool notPresent)
    {
        Statistics.FaultsTaken++;
        if (notPresent && RemembersMmio(address, isStore))
        {
            return Emulate(ShadowFaultKind.Mmio, LastFaultAddress);
        }

        GuestWalkPath path = GuestWalkPath.Walk<X64FourLevel>(_guest, _rules.Entries, _roots.Current, address);
        if (!path.Present || (isStore && (path.Rights & AccessRights.Write) == 0))
        {
            return new ShadowFaultOutcome(ShadowFaultKind.Guest, FlushAll: false);
        }

        ulong gpa = TableGeometry.PageAddress(path.Entry, path.Level) | OffsetBelow(address, path.Level);
        if (isStore && _tables.IsProtected(gpa))
        {
            return Emulate(ShadowFaultKind.ProtectedTable, gpa);
        }

        bool flush = _tables.MakeRoom(keep: _rootPage);
        SetFlags(ref path, address, isStore);
        bool isMmio = gpa >= _guest.LimitBytes || IsMmio?.Invoke(gpa) == true;
        ulong hpa = isMmio ? 0 : _guest.Resolve(gpa);
        int leafLevel = isMmio ? 0 : LeafLevelOf(gpa, path.Level);
        SplitsPages |= leafLevel < path.Level && !isMmio;
        int leafPage = DescendTo(leafLevel, address, gpa, in path, ref flush);
        ulong leafOffset = TableGeometry.EntryOffset(address, leafLevel);
        if (isMmio)
        {
            _tables.Leaves.Clear(_tables[leafPage].Table + leafOffset, 0);
            _tables.Leaves.SetMmio(_tables[leafPage].Table + leafOffset, MmioEntries.Create(gpa, path.Rights, _mmioGeneration));
            return Emulate(ShadowFaultKind.Mmio, gpa) with { FlushAll = flush };
        }

        // A link carries the rights of the guest's own entry, and so a leaf only those of its level: tables are shared.
        AccessRights rights = leafLevel == path.Level ? X64FourLevel.Rights(path.Entry) : AccessRights.All;
        bool isDirty = (path.Entry & X64FourLevel.DirtyBit) != 0;
        bool changed = _tables.SetLeaf(leafPage, leafOffset, gpa, hpa, rights, isDirty);
        Statistics.FaultsFixed += changed ? 1 : 0;
        Statistics.FaultsSpurious += changed ? 0 : 1;
        if (leafLevel == 0)
        {
            Prefetch(leafPage, address, gpa, in path);
        }

        return new ShadowFaultOutcome(notPresent ? ShadowFaultKind.Shadow : ShadowFaultKind.Dirty, flush);
    }

    /// <summary>Whether the guest's own tables grant an access, so that a fault is the shadow's to resolve.</summary>
    /// <param name="address">The linear address.</param>
    /// <param name="needed">The rights needed.</param>
    /// <param name="fault">Where they do not, the guest's fault with its error code.</param>
    public bool MayResolve(ulong address, AccessRights needed, out Translation fault)
    {
        GuestWalkPath path = GuestWalkPath.Walk<X64FourLevel>(_guest, _rules.Entries, _roots.Current, address);
        int key = X64FourLevel.ProtectionKey(path.Entry);
        AccessPolicy policy = _rules.Policy;
        fault = path.Status switch
        {
            WalkStatus.NotPresent => Translation.Fault(TranslationStatus.GuestNotPresent, code: (ulong)policy.NotPresent(needed)),
            WalkStatus.Reserved => Translation.Fault(TranslationStatus.GuestReservedBit, code: (ulong)policy.ReservedBit(needed)),
            _ when policy.Denies(needed, path.Rights, key)
                => Translation.Fault(TranslationStatus.GuestProtection, code: (ulong)policy.Protection(needed, path.Rights, key)),
            _ => default,
        };
        return fault.Status == TranslationStatus.Ok;
    }

    /// <summary>The guest has written an entry of one of its tables; says what that cost.</summary>
    public GuestTableWrite GuestTableWritten(ulong entryAddress, int level)
    {
        GuestTableWrite cost = _tables.Written(entryAddress, level);
        Statistics.FaultsTaken += cost == GuestTableWrite.Free ? 0 : 1;
        switch (cost)
        {
            case GuestTableWrite.Unsync:
                Statistics.Unsyncs++;
                Statistics.FaultsFixed++;
                break;
            case GuestTableWrite.Protected:
                Statistics.TableWrites++;
                Statistics.FaultsEmulated++;
                break;
            case GuestTableWrite.ProtectedAndZapped:
                // The page that holds the table is no longer protected: the store goes through to it.
                Statistics.Flooded++;
                Statistics.FaultsFixed++;
                bool flush = true;
                ObtainRoot(ref flush);
                break;
        }

        return cost;
    }

    private static ulong OffsetBelow(ulong address, int level) => address & ((1UL << TableGeometry.ShiftOf(level)) - 1);

    private void ObtainRoot(ref bool flush)
    {
        var role = new ShadowRole(_roots.Current, X64FourLevel.Levels - 1, Direct: false, Writable: false);
        _rootPage = _tables.Obtain(role, _roots.Current, ref flush);
        ShadowRoot = _tables[_rootPage].Table;
    }

    private ShadowFaultOutcome Emulate(ShadowFaultKind kind, ulong gpa)
    {
        LastFaultAddress = gpa;
        Statistics.FaultsEmulated++;
        return new ShadowFaultOutcome(kind, FlushAll: false);
    }

    /// <summary>Whether the shadow leaf remembers, of this generation, that no memory lies there; the guest's tables are not walked.</summary>
    private bool RemembersMmio(ulong address, bool isStore)
    {
        ulong table = ShadowRoot;
        for (int level = X64FourLevel.Levels - 1; ; level--)
        {
            ulong entry = _tables.Leaves.Read(table + TableGeometry.EntryOffset(address, level));
            if (level == 0)
            {
                AccessRights needed = isStore ? AccessRights.Write : AccessRights.None;
                LastFaultAddress = MmioEntries.FrameOf(entry) | (address & 0xFFF);
                return MmioEntries.IsMmio(entry) && MmioEntries.GenerationOf(entry) == _mmioGeneration
                       && (needed & ~MmioEntries.RightsOf(entry)) == 0;
            }

            if (!X64FourLevel.IsPresent(entry) || X64FourLevel.IsLeaf(entry, level))
            {
                return false;
            }

            table = TableGeometry.TableAddress(entry);
        }
    }

    /// <summary>The smaller of the guest's and the host's, and smaller still where a guest table lies in the page.</summary>
    private int LeafLevelOf(ulong gpa, int guestLevel)
    {
        int level = Math.Min(guestLevel, _backingLevel);
        while (level > 0 && _tables.Shadowed.AnyIn(gpa, level))
        {
            level--;
        }

        return level;
    }

    /// <summary>Sets the accessed bit in every entry on the way and the dirty bit for a store, as the walk that KVM makes for the guest does.</summary>
    private void SetFlags(ref GuestWalkPath path, ulong address, bool isStore)
    {
        for (int level = X64FourLevel.Levels - 1; level >= path.Level; level--)
        {
            ulong entryAddress = path.Tables[level] + TableGeometry.EntryOffset(address, level);
            ulong flags = X64FourLevel.AccessedBit | (isStore && level == path.Level ? X64FourLevel.DirtyBit : 0);
            if ((_guest.Read(entryAddress) & flags) != flags)
            {
                _guest.SetBits(entryAddress, flags);
            }
        }

        path.Entry |= X64FourLevel.AccessedBit | (isStore ? X64FourLevel.DirtyBit : 0);
    }

    /// <summary>Follows the shadow tables down, making and linking what is missing; every page passed counts as used.</summary>
    private int DescendTo(int leafLevel, ulong address, ulong gpa, in GuestWalkPath path, ref bool flush)
    {
        bool dirty = (path.Entry & X64FourLevel.DirtyBit) != 0;
        int index = _rootPage;
        for (int level = X64FourLevel.Levels - 1; level > leafLevel; level--)
        {
            _tables[index].WritesSinceUse = 0;
            ulong entryOffset = TableGeometry.EntryOffset(address, level);
            ShadowRole role = level > path.Level
                ? new ShadowRole(path.Tables[level - 1], level - 1, Direct: false, Writable: false)
                : new ShadowRole(gpa & ~((1UL << TableGeometry.ShiftOf(level)) - 1), level - 1, Direct: true, dirty);
            AccessRights rights = level >= path.Level
                ? X64FourLevel.Rights(_guest.Read(path.Tables[level] + entryOffset))
                : AccessRights.All;
            int child = _tables.Obtain(role, _roots.Current, ref flush);
            _tables.Link(index, entryOffset, child, rights, ref flush);
            index = child;
        }

        _tables[index].WritesSinceUse = 0;
        return index;
    }

    /// <summary>Fills the accessed entry's aligned neighbours that are absent here, accessed in the guest and backed already.</summary>
    private void Prefetch(int leafPage, ulong address, ulong gpa, in GuestWalkPath path)
    {
        int slot = (int)(TableGeometry.EntryOffset(address, 0) / 8);
        int firstSlot = slot & ~(PrefetchGroup - 1);
        for (int neighbour = firstSlot; neighbour < firstSlot + PrefetchGroup; neighbour++)
        {
            ulong entryOffset = (ulong)neighbour * 8;
            if (X64FourLevel.IsPresent(_tables.Leaves.Read(_tables[leafPage].Table + entryOffset)))
            {
                continue;
            }

            ulong guestEntry = path.Entry;
            ulong page = (gpa & AddressBits.Frame) + ((ulong)(long)(neighbour - slot) << 12);
            if (path.Level == 0)
            {
                guestEntry = _guest.Read((path.EntryAddress & AddressBits.Frame) + entryOffset);
                page = TableGeometry.PageAddress(guestEntry, 0);
            }

            if (MayPrefetch(guestEntry) && _guest.TryResolve(page, out ulong hpa) && IsMmio?.Invoke(page) != true)
            {
                AccessRights rights = path.Level == 0 ? X64FourLevel.Rights(guestEntry) : AccessRights.All;
                _tables.SetLeaf(leafPage, entryOffset, page, hpa, rights, (guestEntry & X64FourLevel.DirtyBit) != 0);
            }
        }
    }

    private bool MayPrefetch(ulong guestEntry)
        => X64FourLevel.IsPresent(guestEntry)
           && (guestEntry & X64FourLevel.AccessedBit) != 0
           && (WriteLog is null || (guestEntry & X64FourLevel.DirtyBit) == 0);
}
