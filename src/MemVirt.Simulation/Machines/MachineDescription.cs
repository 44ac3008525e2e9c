namespace MemVirt.Simulation.Machines;

/// <summary>A machine: TLBs, walk caches, data caches, latencies and prices, as its JSON file says them.</summary>
public sealed record MachineDescription
{
    /// <summary>The name under which results are reported.</summary>
    public required string Name { get; init; }

    /// <summary>Where the figures come from, by topic.</summary>
    public IReadOnlyDictionary<string, string> Sources { get; init; } = new Dictionary<string, string>();

    /// <summary>The TLBs.</summary>
    public required TlbDescription Tlb { get; init; }

    /// <summary>Paging-structure caches and the nested TLB; null for none.</summary>
    public WalkCachesDescription? WalkCaches { get; init; }

    /// <summary>Data caches; null where every walk reference costs <see cref="WalkReferenceCycles"/>.</summary>
    public DataCachesDescription? Caches { get; init; }

    /// <summary>Cycles of a walk reference where there are no data caches.</summary>
    public double WalkReferenceCycles { get; init; }

    /// <summary>Prices.</summary>
    public required CostDescription Costs { get; init; }
}

/// <summary>How a set's victim is chosen.</summary>
public enum ReplacementPolicy
{
    /// <summary>True least-recently-used.</summary>
    Lru,

    /// <summary>One bit a way (bit-PLRU).</summary>
    Plru,

    /// <summary>A splitmix64 stream, drawn only when the set is full.</summary>
    Random,
}

/// <summary>How a page number selects a set.</summary>
public enum SetIndex
{
    /// <summary>Page number modulo sets.</summary>
    Modulo,

    /// <summary>(page XOR page ÷ sets) modulo sets; sets a power of two.</summary>
    Xor,
}

/// <summary>One set-associative structure.</summary>
public record StructureDescription
{
    /// <summary>Entries in all; a multiple of the ways.</summary>
    public required int Entries { get; init; }

    /// <summary>Ways of a set; null for fully associative.</summary>
    public int? Ways { get; init; }

    /// <summary>How a page number selects a set.</summary>
    public SetIndex Index { get; init; } = SetIndex.Modulo;

    /// <summary>How a victim is chosen.</summary>
    public ReplacementPolicy Replacement { get; init; } = ReplacementPolicy.Lru;

    /// <summary>Seed of the random policy's stream.</summary>
    public ulong Seed { get; init; } = 1;
}

/// <summary>One TLB structure and the page sizes it holds, in the order in which they are probed.</summary>
public sealed record TlbStructureDescription : StructureDescription
{
    /// <summary>The page sizes held.</summary>
    public required IReadOnlyList<Core.Addresses.PageSize> PageSizes { get; init; }

    /// <summary>Cycles of a hit; priced for the second level only.</summary>
    public double Latency { get; init; }
}

/// <summary>The three TLB levels' structures, each in file order. An empty <see cref="L2"/> means no second level.</summary>
public sealed record TlbDescription
{
    /// <summary>Instruction TLB.</summary>
    public required IReadOnlyList<TlbStructureDescription> L1i { get; init; }

    /// <summary>Data TLB.</summary>
    public required IReadOnlyList<TlbStructureDescription> L1d { get; init; }

    /// <summary>Second-level TLB; may be empty.</summary>
    public IReadOnlyList<TlbStructureDescription> L2 { get; init; } = [];
}

/// <summary>What a paging-structure cache's entry says of the next table.</summary>
public enum WalkCacheContent
{
    /// <summary>Its host-physical address (Intel).</summary>
    HostPhysical,

    /// <summary>Its guest-physical address (AMD).</summary>
    GuestPhysical,
}

/// <summary>Paging-structure caches and the nested TLB; each may be absent.</summary>
public sealed record WalkCachesDescription
{
    /// <summary>What entries hold.</summary>
    public required WalkCacheContent Holds { get; init; }

    /// <summary>Cycles of a hit in any of them.</summary>
    public double Latency { get; init; }

    /// <summary>PML4E cache.</summary>
    public StructureDescription? Pml4e { get; init; }

    /// <summary>PDPTE cache.</summary>
    public StructureDescription? Pdpte { get; init; }

    /// <summary>PDE cache.</summary>
    public StructureDescription? Pde { get; init; }

    /// <summary>Second stage's PML4E cache.</summary>
    public StructureDescription? NestedPml4e { get; init; }

    /// <summary>Second stage's PDPTE cache.</summary>
    public StructureDescription? NestedPdpte { get; init; }

    /// <summary>Second stage's PDE cache.</summary>
    public StructureDescription? NestedPde { get; init; }

    /// <summary>Nested TLB: guest-physical pages to host-physical ones.</summary>
    public StructureDescription? NestedTlb { get; init; }
}

/// <summary>Where a walk's reads enter the data caches.</summary>
public enum WalkerEntry
{
    /// <summary>The first level (Intel).</summary>
    L1d,

    /// <summary>The second level (AMD).</summary>
    L2,
}

/// <summary>One data-cache level of 64-byte lines.</summary>
public sealed record CacheDescription
{
    /// <summary>Size in KiB.</summary>
    public required int Kib { get; init; }

    /// <summary>Ways of a set.</summary>
    public required int Ways { get; init; }

    /// <summary>Cycles of a hit.</summary>
    public required double Latency { get; init; }
}

/// <summary>The data caches and memory behind them.</summary>
public sealed record DataCachesDescription
{
    /// <summary>First level.</summary>
    public required CacheDescription L1d { get; init; }

    /// <summary>Second level.</summary>
    public required CacheDescription L2 { get; init; }

    /// <summary>Last level.</summary>
    public required CacheDescription Llc { get; init; }

    /// <summary>Cycles of an access that misses everywhere.</summary>
    public required double MemoryLatency { get; init; }

    /// <summary>Where walks enter.</summary>
    public required WalkerEntry WalkerEntersAt { get; init; }
}

/// <summary>Prices in cycles.</summary>
public sealed record CostDescription
{
    /// <summary>Cycles an instruction.</summary>
    public required double BaseCpi { get; init; }

    /// <summary>The part, from 0 to 1, of data latency beyond L1 hidden by out-of-order execution.</summary>
    public required double Overlap { get; init; }

    /// <summary>The guest's own page-fault handler.</summary>
    public required double GuestFaultCycles { get; init; }

    /// <summary>The guest's own context switch.</summary>
    public required double ContextSwitchCycles { get; init; }

    /// <summary>A VM exit and entry.</summary>
    public required double ExitCycles { get; init; }

    /// <summary>The VMM's handler for each kind of exit.</summary>
    public required HandlerCycles HandlerCycles { get; init; }
}

/// <summary>The VMM's work for one exit of each kind, in cycles.</summary>
public sealed record HandlerCycles
{
    /// <summary>A guest page fault intercepted and injected (shadow).</summary>
    public double GuestPageFaults { get; init; }

    /// <summary>An EPT violation or nested page fault.</summary>
    public double SecondStageFaults { get; init; }

    /// <summary>A shadow page fault.</summary>
    public double ShadowFaults { get; init; }

    /// <summary>A write to a shadow page read-only for its dirty bit.</summary>
    public double DirtyFaults { get; init; }

    /// <summary>A guest write to a protected table.</summary>
    public double ProtectedTableWrites { get; init; }

    /// <summary>A guest write that takes a leaf table out of sync.</summary>
    public double Unsyncs { get; init; }

    /// <summary>A guest CR3 load.</summary>
    public double ContextSwitches { get; init; }
}
