using MemVirt.Core.Access;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Shadow;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;

namespace MemVirt.Simulation.Engine;

/// <summary>Shadow paging: the hardware walks the VMM's shadow tables, and every fault is an exit.</summary>
internal struct ShadowModel(
    TwoStageSource<X64FourLevel, IdentityStage, MeteredReader> hardware,
    GuestOperatingSystem<ShadowedTableSpace> guest,
    ShadowPager pager,
    ShadowWriteWatch watch,
    EventCounters events) : IRegimeModel
{
    private TwoStageSource<X64FourLevel, IdentityStage, MeteredReader> _hardware = hardware;
    private int _process;

    public Translation Walk(ulong address, AccessRights needed) => _hardware.Translate(address, needed);

    public FaultEffect HandleFault(in Translation fault, ulong address, bool store)
    {
        ShadowFaultOutcome outcome = pager.HandleFault(
            address, store, notPresent: fault.Status == TranslationStatus.GuestNotPresent);
        switch (outcome.Kind)
        {
            case ShadowFaultKind.Guest:
                guest.HandlePageFault(_process, address, store);
                break;
            case ShadowFaultKind.Shadow:
                events.ShadowFaults++;
                break;
            default:
                events.DirtyFaults++;
                break;
        }

        bool flush = outcome.FlushAll || watch.FlushPending;
        watch.FlushPending = false;
        events.Flushes += flush ? 1 : 0;
        _hardware.Root = pager.ShadowRoot;
        return flush ? FaultEffect.FlushAll : FaultEffect.DropAddress;
    }

    public void SwitchTo(int process, uint context)
    {
        _process = process;
        pager.LoadRoot(guest.RootOf(process) | (context & PagingContext.MaxProcessContext));
        _hardware.Root = pager.ShadowRoot;
        _hardware.Context = context;
    }
}
