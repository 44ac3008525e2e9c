namespace MemVirt.Core.Shadow;

/// <summary>What a hardware fault under shadow paging turned out to be.</summary>
public enum ShadowFaultKind
{
    /// <summary>The guest's own tables fault: the fault is injected.</summary>
    Guest,

    /// <summary>A shadow entry on the way was absent, and all are there now.</summary>
    Shadow,

    /// <summary>
    /// A store met a present read-only leaf, which is writable now: the guest's dirty bit is set, and leaf tables in the page are out of
    /// sync.
    /// </summary>
    Dirty,

    /// <summary>
    /// A store to a frame that holds an upper guest table: the VMM emulates the store and calls <see cref="ShadowPager.StoreEmulated"/>.
    /// </summary>
    ProtectedTable,

    /// <summary>No memory lies at the guest-physical address: the VMM emulates the access.</summary>
    Mmio,
}

/// <summary>How a fault was handled.</summary>
/// <param name="Kind">What it was.</param>
/// <param name="FlushAll">Whether the guest's TLBs and walk caches must be flushed.</param>
public readonly record struct ShadowFaultOutcome(ShadowFaultKind Kind, bool FlushAll);

/// <summary>What a guest's write to one of its tables cost.</summary>
public enum GuestTableWrite
{
    /// <summary>The table is not shadowed, or out of sync: the write went through unseen.</summary>
    Free,

    /// <summary>One exit; the leaf table is out of sync from now on.</summary>
    Unsync,

    /// <summary>One exit; the write was emulated.</summary>
    Protected,

    /// <summary>One exit; the table's shadow was removed, and the guest's TLBs and walk caches must be flushed.</summary>
    ProtectedAndZapped,
}

/// <summary>Who is told of each page that the shadow makes writable, or the pager writes, while writes are logged.</summary>
public interface IWriteLog
{
    /// <summary>The page of 4 KiB at a guest-physical address has been written, or may be from now on without another fault.</summary>
    void Mark(ulong gpa);
}

/// <summary>Whether any of a range of guest-physical addresses is a device's.</summary>
/// <param name="gpa">The first address, a multiple of the length.</param>
/// <param name="lengthBytes">The length: 4 KiB, 2 MiB or 1 GiB.</param>
public delegate bool MmioQuery(ulong gpa, ulong lengthBytes);
