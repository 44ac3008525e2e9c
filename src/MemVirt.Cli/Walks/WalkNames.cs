using MemVirt.Cli.Rendering;
using MemVirt.Core.Addresses;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Explain;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Cli.Walks;

/// <summary>What tables, entries and caches are called.</summary>
internal static class WalkNames
{
    private static readonly string[] Entries = ["PTE", "PDE", "PDPTE", "PML4E"];
    private static readonly string[] Tables = ["PT", "PD", "PDPT", "PML4"];

    internal static string Of(Regime regime) => regime switch
    {
        Regime.Ept => "EPT",
        Regime.Npt => "NPT",
        _ => RegimeNames.Of(regime),
    };

    internal static string TableOf(Regime regime, TableKind kind) => kind switch
    {
        TableKind.Guest => "guest",
        TableKind.Shadow => "shadow",
        _ => RegimeNames.Of(regime),
    };

    internal static string Entry(int level) => level < 0 ? "page" : Entries[level];

    internal static string Table(int level) => Tables[level];

    internal static string Of(ReferenceKind kind) => kind switch
    {
        ReferenceKind.Fetch => "fetch",
        ReferenceKind.Store => "store",
        _ => "load",
    };

    internal static string Of(WalkServer server) => server switch
    {
        WalkServer.Walker => "read",
        WalkServer.L1d => "L1D",
        WalkServer.L2 => "L2",
        WalkServer.Llc => "LLC",
        WalkServer.Memory => "memory",
        WalkServer.Pml4eCache => "PML4E cache",
        WalkServer.PdpteCache => "PDPTE cache",
        WalkServer.PdeCache => "PDE cache",
        WalkServer.NestedTlb => "nested TLB",
        WalkServer.NestedPml4eCache => "nested PML4E cache",
        WalkServer.NestedPdpteCache => "nested PDPTE cache",
        _ => "nested PDE cache",
    };

    internal static string Of(TranslationCache cache) => cache switch
    {
        TranslationCache.L1i => "L1I TLB",
        TranslationCache.L1d => "L1D TLB",
        TranslationCache.L2 => "L2 TLB",
        TranslationCache.Pde => "PDE cache",
        TranslationCache.Pdpte => "PDPTE cache",
        _ => "PML4E cache",
    };

    /// <summary>A TLB structure by what it holds.</summary>
    internal static string Of(TlbStructureDescription structure)
    {
        string ways = structure.Ways is { } count && count != structure.Entries ? NumberText.Line($"{count} ways") : "fully associative";
        return NumberText.Line($"{string.Join('+', structure.PageSizes.Select(PageSizeNames.Of))}, {structure.Entries:N0} entries, {ways}");
    }

    /// <summary>The region that a cache's entry stands for.</summary>
    internal static string RegionOf(TranslationCache cache) => cache switch
    {
        TranslationCache.Pde => "2 MiB region",
        TranslationCache.Pdpte => "1 GiB region",
        TranslationCache.Pml4e => "512 GiB region",
        _ => "page",
    };

    internal static string Bytes(PageSize size) => size switch
    {
        PageSize.Size4K => "4 KiB",
        PageSize.Size2M => "2 MiB",
        _ => "1 GiB",
    };
}
