using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Simulation.Engine;

namespace MemVirt.Simulation.Live;

/// <summary>
/// Two-dimensional walks. The second stage maps guest-physical addresses to themselves, a page at a time as they are first used, each an
/// exit; its tables lie above all RAM.
/// </summary>
internal struct NestedWalk<TFormat>(
    PagingSource<NestedStage<TFormat, LiveReader>, LiveReader> source, GuestRules rules, HostTableSpace tables, ulong root, PageSize pages,
    RegimeHardware hardware) : ILiveWalk
    where TFormat : struct, IPageTableFormat
{
    private const int MostFaults = 16;
    private PagingSource<NestedStage<TFormat, LiveReader>, LiveReader> _source = source;

    public readonly bool IsPaging => true;

    public Translation Walk(ulong address, AccessRights needed)
    {
        for (int fault = 0; fault < MostFaults; fault++)
        {
            Translation translation = _source.Translate(address, needed);
            if (translation.Status is not (TranslationStatus.SecondStageNotPresent or TranslationStatus.SecondStageProtection))
            {
                return translation;
            }

            hardware.Meter.Faulted();
            Map(translation.GuestPhysical);
        }

        return Translation.Fault(TranslationStatus.SecondStageMisconfigured);
    }

    public readonly bool IsEmulated(ulong address) => false;

    public readonly bool TakeFlush() => false;

    public void Load(in PagingRegisters registers, PageDirectoryPointers pointers, uint context)
    {
        _ = rules;
        _source.Cr3 = registers.Cr3;
        _source.Pdptes = pointers;
        _source.Context = context;
    }

    private readonly void Map(ulong gpa)
    {
        int level = pages.LeafLevel();
        HostTableSpace space = tables;
        ulong entry = PageTableEditor<TFormat, HostTableSpace>.EnsureEntry(ref space, root, gpa, level, out _);
        ulong page = gpa & ~(pages.SizeBytes() - 1);
        space.Write(entry, TFormat.LeafEntry(page, level, AccessRights.All, dirty: true), level);
        hardware.Events.SecondStageFaults++;
        hardware.NestedTlb?.Drop(gpa, RegimeFactory.SecondStageContext);
        hardware.NestedCaches?.Drop(gpa, RegimeFactory.SecondStageContext);
    }
}
