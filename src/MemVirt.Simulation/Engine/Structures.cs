using MemVirt.Core.Addresses;
using MemVirt.Core.Stages;
using MemVirt.Core.Tlb;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Machines;

namespace MemVirt.Simulation.Engine;

/// <summary>Builds the core's structures from a machine's descriptions.</summary>
internal static class Structures
{
    internal static TagArray Build(StructureDescription description)
    {
        var geometry = new SetGeometry(
            description.Entries, description.Ways ?? description.Entries, description.Index == SetIndex.Xor);
        Replacement replacement = description.Replacement switch
        {
            ReplacementPolicy.Plru => Replacement.BitPseudoLru,
            ReplacementPolicy.Random => Replacement.Random,
            _ => Replacement.LeastRecentlyUsed,
        };
        return new TagArray(geometry, replacement, description.Seed);
    }

    /// <summary>The pml4e, pdpte and pde caches; null where the machine has none of them.</summary>
    internal static PagingStructureCaches? GuestCaches(WalkCachesDescription? caches)
        => Build(caches?.Holds, caches?.Pml4e, caches?.Pdpte, caches?.Pde);

    /// <summary>The second stage's caches. What they hold is host-physical either way: its tables lie there.</summary>
    internal static PagingStructureCaches? NestedCaches(WalkCachesDescription? caches)
        => Build(WalkCacheContent.HostPhysical, caches?.NestedPml4e, caches?.NestedPdpte, caches?.NestedPde);

    internal static NestedTlb? BuildNestedTlb(WalkCachesDescription? caches, PageSize hostPages)
        => caches?.NestedTlb is { } description ? new NestedTlb(Build(description), hostPages) : null;

    private static PagingStructureCaches? Build(
        WalkCacheContent? holds, StructureDescription? pml4e, StructureDescription? pdpte, StructureDescription? pde)
        => (pml4e ?? pdpte ?? pde) is null
            ? null
            : new PagingStructureCaches(
                holds == WalkCacheContent.GuestPhysical ? CachedTable.GuestPhysical : CachedTable.HostPhysical,
                BuildOptional(pml4e),
                BuildOptional(pdpte),
                BuildOptional(pde));

    private static TagArray? BuildOptional(StructureDescription? description) => description is null ? null : Build(description);
}
