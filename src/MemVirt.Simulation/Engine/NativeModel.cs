using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;

namespace MemVirt.Simulation.Engine;

/// <summary>No virtualization: the guest's tables lie in host memory and map it straight.</summary>
internal struct NativeModel(
    TwoStageSource<X64FourLevel, IdentityStage, MeteredReader> source, GuestOperatingSystem<HostTableSpace> guest) : IRegimeModel
{
    private TwoStageSource<X64FourLevel, IdentityStage, MeteredReader> _source = source;
    private int _process;

    public Translation Walk(ulong address, AccessRights needed) => _source.Translate(address, needed);

    public readonly FaultEffect HandleFault(in Translation fault, ulong address, bool store)
    {
        guest.HandlePageFault(_process, address, store);
        return FaultEffect.DropAddress;
    }

    public void SwitchTo(int process, uint context)
    {
        _process = process;
        _source.Root = guest.RootOf(process);
        _source.Context = context;
    }
}
