using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Shadow;

/// <summary>
/// The VMM's side of shadow paging, after KVM's shadow MMU: tables that map guest-virtual to host-physical addresses, built on
/// faults from the guest's own. Guest tables at level 1 and up are write-protected; leaf tables go out of sync when their page
/// is mapped writable again; the third write to a protected table without a use in between removes its shadow; the shadow leaf is writable when
/// the guest's dirty bit is set; pages larger in the guest than in the host are split by direct tables; an address without
/// memory is remembered in the shadow leaf; while CR0.WP is clear, a read-only page that a supervisor writes is the supervisor's alone.
/// It follows guests with 32-bit, PAE and four-level paging without protection keys, and not SMAP with CR0.WP clear. Memory besides the tables: 17 to 20 bytes for
/// each host page mapped, 16 for each further leaf that maps it, and 49 to 56 bytes a shadow page.
/// </summary>
public sealed partial class ShadowPager
{
    private const int PrefetchGroup = 8;
    private const int NoRoot = -1;
    private readonly GuestMemory _guest;
    private readonly GuestRules _rules;
    private readonly GuestTables _guestTables;
    private readonly ShadowTables _tables;
    private readonly RecentRoots _roots = new();
    private readonly int _backingLevel;
    private int _mmioGeneration;
    private (bool IgnoresReadOnly, bool Smep) _supervisor;
    private readonly int[] _rootPages = [NoRoot, NoRoot, NoRoot, NoRoot];

    /// <summary>Shadow paging of a guest, its shadow tables taken from <paramref name="hostFrames"/>.</summary>
    /// <param name="host">Host memory.</param>
    /// <param name="guest">The guest's memory.</param>
    /// <param name="hostFrames">Where shadow tables come from.</param>
    /// <param name="pool">The limit of shadow pages; null for the default.</param>
    /// <param name="rules">What the guest's registers make of its tables; null for four-level paging with WP and NXE.</param>
    /// <exception cref="ArgumentOutOfRangeException">The limit is below 64.</exception>
    /// <exception cref="NotSupportedException">The guest's registers are not ones that shadow paging follows.</exception>
    public ShadowPager(
        SparseMemory host, GuestMemory guest, FrameAllocator hostFrames, ShadowPoolOptions? pool = null, GuestRules? rules = null)
        : this(host, guest, hostFrames, rules ?? GuestRules.Default, pool ?? new ShadowPoolOptions())
        => CheckRules();

    private ShadowPager(SparseMemory host, GuestMemory guest, FrameAllocator hostFrames, GuestRules rules, ShadowPoolOptions pool)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(pool.MaxPages, 64);
        _guest = guest;
        _rules = rules;
        _guestTables = new GuestTables(guest, rules);
        _tables = new ShadowTables(host, guest, hostFrames, pool, _rules, _guestTables, Statistics);
        _backingLevel = guest.BackingSize.LeafLevel();
    }

    /// <summary>What has been done so far.</summary>
    public ShadowStatistics Statistics { get; } = new();

    /// <summary>What it takes of memory now.</summary>
    public ShadowMemoryUse MemoryUse => new(_tables.Count * 4096L, _tables.IndexBytes, _tables.Leaves.MapBytes);

    /// <summary>The host-physical address of the shadow root that the hardware walks; of the first of four (<see cref="ShadowRootOf"/>).</summary>
    public ulong ShadowRoot => ShadowRootOf(0);

    /// <summary>The guest-physical address of the last store to a protected guest table, or of the last access to MMIO.</summary>
    public ulong LastFaultAddress { get; private set; }

    /// <summary>Whether any guest page has been split into smaller shadow pages so far.</summary>
    public bool SplitsPages { get; private set; }

    /// <summary>Shadow tables in use.</summary>
    public int ShadowPages => _tables.Count;

    /// <summary>
    /// Where the guest has devices, and no memory; null for nowhere below the memory's limit. A page of 4 KiB with a device in it is the
    /// device's whole. When the answer changes, <see cref="MemorySlotsChanged"/> must be called, and <see cref="Unmap"/> for what was
    /// memory.
    /// </summary>
    public MmioQuery? HasMmio { get; set; }

    /// <summary>
    /// Who is told of pages that become writable, and of guest tables in which the pager itself sets flags; null for nobody. To arm it,
    /// <see cref="WriteProtect"/> what is logged. While it is set, neighbours that would be writable are not prefetched.
    /// </summary>
    public IWriteLog? WriteLog
    {
        get => _tables.WriteLog;
        set => _tables.WriteLog = value;
    }

    /// <summary>Called before a fault is handled, while the tables are as the access found them; null for nobody.</summary>
    public Action? BeforeFault { get; set; }

    /// <summary>A pager for a processor whose registers are not yet ones that it follows; <see cref="Restart"/> comes before all else.</summary>
    internal static ShadowPager ForProcessor(SparseMemory host, GuestMemory guest, FrameAllocator hostFrames, GuestRules rules)
        => new(host, guest, hostFrames, rules, new ShadowPoolOptions());

    /// <summary>Whether shadow paging follows a guest with these rules.</summary>
    public static bool Follows(GuestRules rules)
        => rules.Mode is PagingMode.Bits32 or PagingMode.Pae or PagingMode.FourLevel && !rules.ProtectionKeys
           && !(rules.Policy.SupervisorIgnoresReadOnly && rules.SupervisorAccessPrevention);

    /// <summary>What the guest's registers make of its tables and accesses.</summary>
    internal GuestRules Rules => _rules;

    /// <summary>
    /// The host-physical address of the shadow table at which the hardware's walk of a linear address starts: of a PML4, or, for a guest with
    /// 32-bit or PAE paging, of the page directory that PDPTE register <c>address[31:30]</c> refers to; 0 where that is not present.
    /// </summary>
    public ulong ShadowRootOf(ulong address)
    {
        int page = _rootPages[_guestTables.RootNumber(address)];
        return page == NoRoot ? 0 : _tables[page].Table;
    }

    /// <summary>Handles a fault of a user-mode load or store on the current shadow tables; bits 47:0 of the linear address count.</summary>
    /// <param name="address">The linear address.</param>
    /// <param name="isStore">Whether the access was a store.</param>
    /// <param name="notPresent">Whether the hardware met an absent entry, rather than a read-only leaf.</param>
    public ShadowFaultOutcome HandleFault(ulong address, bool isStore, bool notPresent)
        => HandleFault(address, AccessRights.User | (isStore ? AccessRights.Write : AccessRights.Read), notPresent, out _);

    /// <summary>Handles a fault of any access on the current shadow tables; bits 47:0 of the linear address count.</summary>
    /// <param name="address">The linear address.</param>
    /// <param name="needed">What the access needs.</param>
    /// <param name="notPresent">Whether the hardware met an absent entry, rather than one that denies the access.</param>
    /// <param name="guestFault">Where it is the guest's own fault, that fault with its error code.</param>
    public ShadowFaultOutcome HandleFault(ulong address, AccessRights needed, bool notPresent, out Translation guestFault)
    {
        BeforeFault?.Invoke();
        Statistics.FaultsTaken++;
        guestFault = default;
        if (notPresent && RemembersMmio(address, needed))
        {
            return Emulate(ShadowFaultKind.Mmio, LastFaultAddress);
        }

        GuestWalkPath path = _guestTables.Walk(_roots.Current, address);
        if (IsGuestFault(in path, needed, out guestFault))
        {
            return new ShadowFaultOutcome(ShadowFaultKind.Guest, FlushAll: false);
        }

        bool isStore = (needed & AccessRights.Write) != 0;
        ulong gpa = path.GuestPhysical(address);
        SetFlags(ref path, address, isStore);
        if (isStore && _tables.HoldsUpperTable(gpa))
        {
            return Emulate(ShadowFaultKind.ProtectedTable, gpa);
        }

        bool flush = _tables.MakeRoom(keep: _rootPages);
        bool isMmio = IsMmioPage(gpa);
        ulong hpa = isMmio ? 0 : _guest.Resolve(gpa);
        int leafLevel = isMmio ? 0 : LeafLevelOf(gpa, path.Level);
        SplitsPages |= TableGeometry.ShiftOf(leafLevel) < path.PageShift && !isMmio;
        LeafCause cause = CauseOf(needed, path.Rights);
        int leafPage = DescendTo(leafLevel, address, gpa, in path, cause, ref flush);
        ulong leafOffset = TableGeometry.EntryOffset(address, leafLevel);
        bool isDirty = (path.Entry & X64FourLevel.DirtyBit) != 0;
        if (isMmio)
        {
            // Writable once the guest's page is dirty, as a leaf is, so that the first store sets that bit.
            AccessRights remembered = isDirty ? path.Rights : path.Rights & ~AccessRights.Write;
            _tables.Leaves.Clear(_tables[leafPage].Table + leafOffset, 0);
            _tables.Leaves.SetMmio(_tables[leafPage].Table + leafOffset, MmioEntries.Create(gpa, remembered, _mmioGeneration));
            return Emulate(ShadowFaultKind.Mmio, gpa) with { FlushAll = Flushing(flush) };
        }

        long unsyncs = Statistics.Unsyncs;
        bool changed = _tables.SetLeaf(leafPage, leafOffset, gpa, hpa, path.Entry, cause);
        bool isUnsync = Statistics.Unsyncs != unsyncs;
        Statistics.FaultsFixed += changed ? 1 : 0;
        Statistics.FaultsSpurious += changed ? 0 : 1;
        Statistics.UnsyncFaults += isUnsync ? 1 : 0;
        Statistics.DirtyFaults += changed && !notPresent && !isUnsync ? 1 : 0;
        if (leafLevel == 0)
        {
            Prefetch(leafPage, address, gpa, in path);
        }

        return new ShadowFaultOutcome(notPresent ? ShadowFaultKind.Shadow : ShadowFaultKind.Dirty, Flushing(flush));
    }

    /// <summary>
    /// Whether a store at a linear address is one that the VMM emulates, as the page there holds an upper guest table; counts nothing.
    /// </summary>
    /// <param name="address">The linear address; bits 47:0 count.</param>
    public bool IsTableStore(ulong address)
    {
        GuestWalkPath path = _guestTables.Walk(_roots.Current, address);
        return path.Status == WalkStatus.Leaf
               && _tables.HoldsUpperTable(path.GuestPhysical(address));
    }

    /// <summary>
    /// The VMM has emulated a store of which <see cref="HandleFault(ulong, bool, bool)"/> said
    /// <see cref="ShadowFaultKind.ProtectedTable"/>. Returns whether the guest's TLBs must be flushed.
    /// </summary>
    /// <param name="gpa">Where it began; it lies in one page.</param>
    /// <param name="lengthBytes">How many bytes it wrote.</param>
    public bool StoreEmulated(ulong gpa, int lengthBytes)
    {
        bool isZapped = _tables.Written(gpa, lengthBytes) == GuestTableWrite.ProtectedAndZapped;
        Statistics.TableWrites++;
        WriteLog?.Mark(gpa & AddressBits.Frame);
        if (isZapped)
        {
            ObtainRoots(ref isZapped);
        }

        return Flushing(isZapped);
    }

    /// <summary>
    /// The guest has written an entry of one of its tables by no access of which the pager heard; says what a fault of that store would
    /// have cost, and counts it.
    /// </summary>
    /// <param name="entryAddress">The entry's guest-physical address.</param>
    public GuestTableWrite GuestTableWritten(ulong entryAddress)
    {
        GuestTableWrite cost = _tables.Written(entryAddress, _guestTables.EntryBytes);
        if (cost == GuestTableWrite.Free)
        {
            return cost;
        }

        Statistics.FaultsTaken++;
        WriteLog?.Mark(entryAddress & AddressBits.Frame);
        switch (cost)
        {
            case GuestTableWrite.Unsync:
                Statistics.FaultsFixed++;
                break;
            case GuestTableWrite.Protected:
                Statistics.TableWrites++;
                Statistics.FaultsEmulated++;
                break;
            case GuestTableWrite.ProtectedAndZapped:
                // The page that holds the table is no longer protected: the store goes through to it.
                Statistics.FaultsFixed++;
                bool flush = true;
                ObtainRoots(ref flush);
                Flushing(flush);
                break;
        }

        return cost;
    }

    /// <summary>A store to a read-only page that the guest's tables allow is a supervisor's with CR0.WP clear, or one of the shadow stack.</summary>
    private static LeafCause CauseOf(AccessRights needed, AccessRights rights)
        => (needed & (AccessRights.Write | AccessRights.ShadowStack)) == AccessRights.Write && (rights & AccessRights.Write) == 0
            ? LeafCause.SupervisorStore : LeafCause.Fault;

    private void ObtainRoots(ref bool flush)
    {
        for (int number = 0; number < _rootPages.Length; number++)
        {
            _rootPages[number] = number < _guestTables.Roots && _guestTables.TryRootRole(_roots.Current, number, out ShadowRole role)
                ? _tables.Obtain(role, role.GuestAddress, ref flush) : NoRoot;
        }
    }

    private ShadowFaultOutcome Emulate(ShadowFaultKind kind, ulong gpa)
    {
        LastFaultAddress = gpa;
        Statistics.FaultsEmulated++;
        return new ShadowFaultOutcome(kind, FlushAll: false);
    }

    /// <summary>What is answered with true flushes everything: from then on no TLB holds what the reverse map does not.</summary>
    private bool Flushing(bool flush)
    {
        _tables.Leaves.TlbsDirty &= !flush;
        Statistics.Flushes += flush ? 1 : 0;
        return flush;
    }

    private void CheckRules()
    {
        if (!Follows(_rules))
        {
            throw new NotSupportedException(
                "Shadow paging follows guests with 32-bit, PAE or four-level paging, CR4.PKE = CR4.PKS = 0, and CR0.WP = 1 or CR4.SMAP = 0; "
                + "use EPT or NPT for others.");
        }
    }

    /// <summary>Whether the guest's own tables deny an access.</summary>
    private bool IsGuestFault(in GuestWalkPath path, AccessRights needed, out Translation fault)
    {
        AccessPolicy policy = _rules.Policy;
        fault = path.Status switch
        {
            WalkStatus.NotPresent => Translation.Fault(TranslationStatus.GuestNotPresent, code: (ulong)policy.NotPresent(needed)),
            WalkStatus.Reserved => Translation.Fault(TranslationStatus.GuestReservedBit, code: (ulong)policy.ReservedBit(needed)),
            _ when policy.Denies(needed, path.Rights, protectionKey: 0)
                => Translation.Fault(TranslationStatus.GuestProtection, code: (ulong)policy.Protection(needed, path.Rights, 0)),
            _ => default,
        };
        return fault.Status != TranslationStatus.Ok;
    }

    private bool IsMmioPage(ulong gpa)
        => gpa >= _guest.LimitBytes || HasMmio?.Invoke(gpa & AddressBits.Frame, PageSize.Size4K.SizeBytes()) == true;

    /// <summary>Whether the shadow leaf remembers, of this generation, that no memory lies there; the guest's tables are not walked.</summary>
    private bool RemembersMmio(ulong address, AccessRights needed)
    {
        ulong table = ShadowRootOf(address);
        for (int level = _guestTables.TopLevel; table != 0; level--)
        {
            ulong entry = _tables.Leaves.Read(table + TableGeometry.EntryOffset(address, level));
            if (level == 0)
            {
                LastFaultAddress = MmioEntries.FrameOf(entry) | (address & 0xFFF);
                AccessRights rights = MmioEntries.RightsOf(entry);
                return MmioEntries.IsMmio(entry) && MmioEntries.GenerationOf(entry) == _mmioGeneration
                       && (needed & AccessRights.Write & ~rights) == 0 && !_rules.Policy.Denies(needed, rights, protectionKey: 0);
            }

            if (!X64FourLevel.IsPresent(entry) || X64FourLevel.IsLeaf(entry, level))
            {
                return false;
            }

            table = TableGeometry.TableAddress(entry);
        }

        return false;
    }
}
