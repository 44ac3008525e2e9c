using MemVirt.Core.Registers;

namespace MemVirt.Core.Shadow;

/// <content>What the pager hears of beside faults and stores: roots, flushes, registers, memory that goes or is logged.</content>
public sealed partial class ShadowPager
{
    /// <summary>Forgets every shadow page, for the guest's tables may have been written unseen, and loads a root. The TLB must be flushed.</summary>
    internal void Restart(ulong cr3, PageDirectoryPointers pointers)
    {
        _tables.ZapAll();
        _roots.Clear();
        _guestTables.Pointers = pointers;
        LoadRoot(cr3);
        Flushing(flush: true);
    }

    /// <summary>The rules follow other registers now, the root is the same. Returns whether the guest's TLBs must be flushed.</summary>
    internal bool RulesChanged()
    {
        bool flush = ForgetSupervisorLeaves();
        if (flush)
        {
            ObtainRoots(ref flush);
        }

        return Flushing(flush);
    }

    /// <summary>
    /// The guest loads CR3 with bit 63 set. A value that is neither current nor one of the three loaded before it has the leaf tables
    /// that its root leads to put in sync again. In PAE paging the roots are <see cref="LoadPageDirectoryPointers"/>'. Returns whether the guest's TLBs must be flushed.
    /// </summary>
    /// <param name="cr3">
    /// The root's guest-physical address, and the PCID in bits 11:0 (0 where the guest uses none, so that a flush goes with every load).
    /// </param>
    /// <exception cref="NotSupportedException">The guest's registers are not ones that shadow paging follows.</exception>
    public bool LoadRoot(ulong cr3)
    {
        CheckRules();
        bool isKept = _roots.Load(cr3);
        bool flush = ForgetSupervisorLeaves() | _tables.MakeRoom(keep: []);
        ObtainRoots(ref flush);
        flush |= !isKept && SynchroniseRoots(cr3);
        return Flushing(flush);
    }

    /// <summary>
    /// A guest in PAE paging loads its PDPTE registers, as MOV to CR3 does: the leaf tables that the four page directories lead to are put in
    /// sync. <see cref="LoadRoot"/> has come before it once. Returns whether the guest's TLBs must be flushed.
    /// </summary>
    /// <param name="pointers">The registers, checked.</param>
    /// <exception cref="NotSupportedException">The guest's registers are not ones that shadow paging follows.</exception>
    public bool LoadPageDirectoryPointers(PageDirectoryPointers pointers)
    {
        CheckRules();
        _guestTables.Pointers = pointers;
        bool flush = ForgetSupervisorLeaves() | _tables.MakeRoom(keep: []);
        ObtainRoots(ref flush);
        flush |= SynchroniseRoots(_roots.Current);
        return Flushing(flush);
    }

    /// <summary>
    /// The guest flushes its TLB: the leaf tables that the current root and the three loaded before it lead to are put in sync again. Returns
    /// whether the guest's TLBs must be flushed beyond what the guest asked for: they may hold a table writable.
    /// </summary>
    public bool Synchronise()
    {
        bool flush = false;
        foreach (ulong cr3 in _roots.All)
        {
            flush |= SynchroniseRoots(cr3);
        }

        return Flushing(flush);
    }

    /// <summary>
    /// The guest flushes a PCID: the leaf tables that the current root leads to are put in sync again where it is its own, else those of the
    /// PCID's root when it is loaded next. Returns the same as <see cref="Synchronise"/>.
    /// </summary>
    /// <param name="processContext">The PCID; 0 where the guest uses none.</param>
    public bool SynchroniseContext(ushort processContext)
        => Flushing(_roots.Forget(processContext) && SynchroniseRoots(_roots.Current));

    /// <summary>
    /// The guest executes INVLPG: the entries of the address under the current root and the three loaded before it are put in sync again,
    /// their tables stay out of sync.
    /// </summary>
    public void SynchroniseAddress(ulong address)
    {
        foreach (ulong cr3 in _roots.All)
        {
            if (_guestTables.TryRootRole(cr3, _guestTables.RootNumber(address), out ShadowRole root))
            {
                _tables.SynchroniseAddress(root, address);
            }
        }
    }

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
        ObtainRoots(ref flush);
        return Flushing(flush);
    }

    /// <summary>
    /// The host takes the memory behind a range away (KVM's MMU notifier): no shadow leaf maps it from now on. Returns whether the
    /// guest's TLBs must be flushed before it is used otherwise. Cost: by the backed memory in the range.
    /// </summary>
    /// <param name="gpa">The first guest-physical address.</param>
    /// <param name="lengthBytes">The range's length; it ends with the address space where it would go beyond.</param>
    public bool Unmap(ulong gpa, ulong lengthBytes)
    {
        bool flush = _tables.Leaves.TlbsDirty;
        while (_guest.TryNextBacked(ref gpa, ref lengthBytes, out ulong hpa, out ulong bytes))
        {
            flush |= _tables.Leaves.Unmap(hpa, bytes);
        }

        return Flushing(flush);
    }

    /// <summary>
    /// Takes the write right from every shadow leaf that maps a range, to log writes. Returns whether the guest's TLBs must be flushed
    /// before the log is read. Cost: by the backed memory in the range.
    /// </summary>
    /// <param name="gpa">The first guest-physical address.</param>
    /// <param name="lengthBytes">The range's length; it ends with the address space where it would go beyond.</param>
    public bool WriteProtect(ulong gpa, ulong lengthBytes)
    {
        bool flush = _tables.Leaves.TlbsDirty;
        while (_guest.TryNextBacked(ref gpa, ref lengthBytes, out ulong hpa, out ulong bytes))
        {
            flush |= _tables.Leaves.WithholdWrite(hpa, bytes);
        }

        return Flushing(flush);
    }

    private bool SynchroniseRoots(ulong cr3)
    {
        bool flush = false;
        for (int number = 0; number < _guestTables.Roots; number++)
        {
            flush |= _guestTables.TryRootRole(cr3, number, out ShadowRole root) && _tables.Synchronise(root);
        }

        return flush;
    }

    /// <summary>Forgets every shadow page where leaves stand for CR0.WP and CR4.SMEP as they were; KVM's roles hold both.</summary>
    private bool ForgetSupervisorLeaves()
    {
        (bool, bool) supervisor = (_rules.Policy.SupervisorIgnoresReadOnly, _rules.SupervisorExecutionPrevention);
        bool areWrong = supervisor != _supervisor && _tables.HasSupervisorLeaves;
        _supervisor = supervisor;
        if (areWrong)
        {
            _tables.ZapAll();
        }

        return areWrong;
    }
}
