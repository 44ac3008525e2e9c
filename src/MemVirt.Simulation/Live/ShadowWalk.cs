using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;

namespace MemVirt.Simulation.Live;

/// <summary>The shadow tables that the run has built; the guest's own while it is not shadowed.</summary>
internal struct ShadowWalk(
    TwoStageSource<X64FourLevel, IdentityStage, LiveReader> shadow, PagingSource<IdentityStage, LiveReader> own, LiveGuest guest) : ILiveWalk
{
    private TwoStageSource<X64FourLevel, IdentityStage, LiveReader> _shadow = shadow;
    private PagingSource<IdentityStage, LiveReader> _own = own;
    private long _flushes;

    public readonly bool IsPaging => true;

    public Translation Walk(ulong address, AccessRights needed)
    {
        if (!guest.IsShadowed())
        {
            return _own.Translate(address, needed);
        }

        _shadow.Root = guest.Pager.ShadowRoot;
        return _shadow.Translate(address, needed);
    }

    public readonly bool IsEmulated(ulong address) => guest.IsShadowed() && guest.Pager.IsTableStore(address);

    public bool TakeFlush()
    {
        long flushes = guest.Pager.Statistics.Flushes;
        bool isNew = flushes != _flushes;
        _flushes = flushes;
        return isNew;
    }

    public void Load(in PagingRegisters registers, PageDirectoryPointers pointers, uint context)
    {
        _own.Cr3 = registers.Cr3;
        _own.Pdptes = pointers;
        _own.Context = context;
        _shadow.Context = context;
    }
}
