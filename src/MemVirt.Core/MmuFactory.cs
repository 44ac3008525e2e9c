using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Shadow;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Core;

/// <summary>
/// The supported combinations, so that callers need not spell the generics:
/// native (<see cref="Native"/>), Intel EPT (<see cref="Ept"/>), AMD NPT (<see cref="Npt"/>), shadow paging (<see cref="Shadow"/>).
/// Four-level guest tables in each.
/// </summary>
public static class MmuFactory
{
    /// <summary>Native paging: the tables at <paramref name="cr3"/> lie in <paramref name="memory"/> and map to it.</summary>
    public static Mmu<TwoStageSource<X64FourLevel, IdentityStage, HostTableReader>> Native(
        SparseMemory memory, ulong cr3, PagingStructureCaches? caches = null)
        => new(new(default, new HostTableReader(memory), TableKind.Guest, caches) { Root = cr3 });

    /// <summary>A guest under EPT.</summary>
    /// <param name="memory">Host memory, which holds the EPT tables and the guest's pages.</param>
    /// <param name="eptRoot">The host-physical address of the EPT root table (EPTP without its low bits).</param>
    /// <param name="cr3">The guest-physical address of the guest's root table.</param>
    /// <param name="caches">Paging-structure caches, or null.</param>
    /// <param name="nestedTlb">A nested TLB, or null.</param>
    public static Mmu<TwoStageSource<X64FourLevel, NestedStage<EptFormat, HostTableReader>, HostTableReader>> Ept(
        SparseMemory memory, ulong eptRoot, ulong cr3, PagingStructureCaches? caches = null, NestedTlb? nestedTlb = null)
        => Nested<EptFormat>(memory, eptRoot, cr3, caches, nestedTlb);

    /// <summary>A guest under NPT; the parameters are those of <see cref="Ept"/>, the root being the nested CR3.</summary>
    public static Mmu<TwoStageSource<X64FourLevel, NestedStage<NptFormat, HostTableReader>, HostTableReader>> Npt(
        SparseMemory memory, ulong nestedCr3, ulong cr3, PagingStructureCaches? caches = null, NestedTlb? nestedTlb = null)
        => Nested<NptFormat>(memory, nestedCr3, cr3, caches, nestedTlb);

    /// <summary>A guest under shadow paging; the pager has loaded the guest's root.</summary>
    public static Mmu<ShadowSource<HostTableReader>> Shadow(SparseMemory memory, ShadowPager pager, PagingStructureCaches? caches = null)
        => new(new(pager, new HostTableReader(memory), caches));

    private static Mmu<TwoStageSource<X64FourLevel, NestedStage<TFormat, HostTableReader>, HostTableReader>> Nested<TFormat>(
        SparseMemory memory, ulong secondStageRoot, ulong cr3, PagingStructureCaches? caches, NestedTlb? nestedTlb)
        where TFormat : struct, IPageTableFormat
    {
        var reader = new HostTableReader(memory);
        var stage = new NestedStage<TFormat, HostTableReader>(reader, secondStageRoot, context: 1, nestedTlb);
        return new(new(stage, reader, TableKind.Guest, caches) { Root = cr3 });
    }
}
