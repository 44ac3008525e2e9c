namespace MemVirt.Core.Shadow;

/// <summary>What a shadow pager has done, under the names of KVM's statistics.</summary>
public sealed class ShadowStatistics
{
    /// <summary>Faults that reached the VMM: pf_taken.</summary>
    public long FaultsTaken { get; internal set; }

    /// <summary>Faults that installed or changed a shadow leaf: pf_fixed.</summary>
    public long FaultsFixed { get; internal set; }

    /// <summary>Of those, faults by which leaf tables went out of sync: the page that holds them is writable from then on.</summary>
    public long UnsyncFaults { get; internal set; }

    /// <summary>Of those, other faults of a store to a present leaf: the guest's dirty bit is set, or the page is protected no more.</summary>
    public long DirtyFaults { get; internal set; }

    /// <summary>Faults whose instruction the VMM emulates, of MMIO and of protected tables: pf_emulate.</summary>
    public long FaultsEmulated { get; internal set; }

    /// <summary>Faults after which the leaf was found as it should be; a table was linked again: pf_spurious.</summary>
    public long FaultsSpurious { get; internal set; }

    /// <summary>Shadow pages made: mmu_cache_miss.</summary>
    public long PagesMade { get; internal set; }

    /// <summary>Leaf tables that went out of sync on a write: mmu_unsync.</summary>
    public long Unsyncs { get; internal set; }

    /// <summary>Writes to protected tables that were emulated: mmu_pte_write.</summary>
    public long TableWrites { get; internal set; }

    /// <summary>Tables whose shadow was removed for being written again and again: mmu_flooded.</summary>
    public long Flooded { get; internal set; }

    /// <summary>Shadow pages removed: mmu_shadow_zapped.</summary>
    public long Zapped { get; internal set; }

    /// <summary>Shadow pages removed to make room: mmu_recycled.</summary>
    public long Recycled { get; internal set; }

    /// <summary>Times that the VMM was asked to flush the guest's TLBs (KVM: remote_tlb_flush).</summary>
    public long Flushes { get; internal set; }
}
