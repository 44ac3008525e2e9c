using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Shadow;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Core;

/// <summary>
/// The supported combinations, so that callers need not spell the generics. Of four-level guest tables with a fixed root:
/// native (<see cref="Native"/>), Intel EPT (<see cref="Ept"/>), AMD NPT (<see cref="Npt"/>), shadow paging (<see cref="Shadow"/>). Of
/// processors whose registers choose the paging mode: <see cref="NativeProcessor"/>, <see cref="EptProcessor"/>,
/// <see cref="NptProcessor"/>.
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

    /// <summary>A processor without virtualization.</summary>
    /// <param name="memory">Host memory, which holds the tables.</param>
    /// <param name="features">What CPUID says.</param>
    /// <param name="registers">Registers taken for valid.</param>
    /// <param name="caches">Paging-structure caches, or null.</param>
    public static PagingUnit<PagingSource<IdentityStage, HostTableReader>> NativeProcessor(
        SparseMemory memory, ProcessorFeatures features, in PagingRegisters registers, PagingStructureCaches? caches = null)
        => Processor(features, default(IdentityStage), new HostTableReader(memory), in registers, caches);

    /// <summary>A virtual processor under four-level EPT.</summary>
    /// <param name="memory">Host memory, which holds the EPT tables and the guest's pages.</param>
    /// <param name="eptRoot">The host-physical address of the EPT root table.</param>
    /// <param name="settings">The controls of EPT.</param>
    /// <param name="features">What the guest's CPUID says.</param>
    /// <param name="registers">The guest's registers, taken for valid.</param>
    /// <param name="caches">Paging-structure caches, or null.</param>
    /// <param name="nestedTlb">A nested TLB, or null.</param>
    /// <param name="log">A page-modification log, or null.</param>
    public static PagingUnit<PagingSource<NestedStage<EptFormat, HostTableReader>, HostTableReader>> EptProcessor(
        SparseMemory memory, ulong eptRoot, EptSettings settings, ProcessorFeatures features, in PagingRegisters registers,
        PagingStructureCaches? caches = null, NestedTlb? nestedTlb = null, PageModificationLog? log = null)
    {
        var reader = new HostTableReader(memory);
        var stage = new NestedStage<EptFormat, HostTableReader>(
            reader, eptRoot, context: 1, nestedTlb, rules: SecondStageRules.Ept(settings), log: log);
        return Processor(features, stage, reader, in registers, caches);
    }

    /// <summary>A virtual processor under four-level nested paging; the parameters are those of <see cref="EptProcessor"/>.</summary>
    public static PagingUnit<PagingSource<NestedStage<NptFormat, HostTableReader>, HostTableReader>> NptProcessor(
        SparseMemory memory, ulong nestedCr3, NptSettings settings, ProcessorFeatures features, in PagingRegisters registers,
        PagingStructureCaches? caches = null, NestedTlb? nestedTlb = null)
    {
        var reader = new HostTableReader(memory);
        var stage = new NestedStage<NptFormat, HostTableReader>(
            reader, nestedCr3, context: 1, nestedTlb, rules: SecondStageRules.Npt(settings));
        return Processor(features, stage, reader, in registers, caches);
    }

    /// <summary>A virtual processor whose tables are shadowed where <see cref="ShadowPager"/> follows it.</summary>
    /// <param name="memory">Host memory.</param>
    /// <param name="guest">The guest's memory.</param>
    /// <param name="hostFrames">Where shadow tables come from.</param>
    /// <param name="hasDevice">Where the guest has devices, and no memory.</param>
    /// <param name="features">What the guest's CPUID says.</param>
    /// <param name="registers">The guest's registers, taken for valid.</param>
    public static PagingUnit<ShadowPagingSource<HostTableReader>> ShadowProcessor(
        SparseMemory memory, GuestMemory guest, FrameAllocator hostFrames, MmioQuery hasDevice, ProcessorFeatures features,
        in PagingRegisters registers)
    {
        var rules = new GuestRules(features, registers);
        var source = new ShadowPagingSource<HostTableReader>(memory, guest, hostFrames, new HostTableReader(memory), rules, hasDevice);
        return new(features, rules, source, in registers);
    }

    /// <summary>A processor over any second stage, its entries read in any way.</summary>
    /// <param name="features">What CPUID says.</param>
    /// <param name="stage">The second stage.</param>
    /// <param name="reader">Reads entries.</param>
    /// <param name="registers">Registers taken for valid.</param>
    /// <param name="caches">Paging-structure caches, or null.</param>
    /// <param name="tlbEntries">Entries of the tagged TLB.</param>
    /// <param name="tlbWays">Its ways.</param>
    public static PagingUnit<PagingSource<TStage, TReader>> Processor<TStage, TReader>(
        ProcessorFeatures features, TStage stage, TReader reader, in PagingRegisters registers, PagingStructureCaches? caches = null,
        int tlbEntries = 2048, int tlbWays = 8)
        where TStage : struct, ISecondStage
        where TReader : struct, ITableReader
    {
        var rules = new GuestRules(features, registers);
        return new(features, rules, new PagingSource<TStage, TReader>(stage, reader, rules, caches), in registers, tlbEntries, tlbWays);
    }

    private static Mmu<TwoStageSource<X64FourLevel, NestedStage<TFormat, HostTableReader>, HostTableReader>> Nested<TFormat>(
        SparseMemory memory, ulong secondStageRoot, ulong cr3, PagingStructureCaches? caches, NestedTlb? nestedTlb)
        where TFormat : struct, IPageTableFormat
    {
        var reader = new HostTableReader(memory);
        var stage = new NestedStage<TFormat, HostTableReader>(reader, secondStageRoot, context: 1, nestedTlb);
        return new(new(stage, reader, TableKind.Guest, caches) { Root = cr3 });
    }
}
