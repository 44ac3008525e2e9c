using MemVirt.Core.Access;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;

namespace MemVirt.Simulation.Live;

/// <summary>The shadow tables that the run has built; the guest's own while it is not shadowed.</summary>
internal struct ShadowWalk(
    TwoStageSource<X64FourLevel, IdentityStage, LiveReader> shadow, TwoStageSource<PaeFormat, IdentityStage, LiveReader> shadowPae,
    PagingSource<IdentityStage, LiveReader> own, LiveGuest guest) : ILiveWalk
{
    private TwoStageSource<X64FourLevel, IdentityStage, LiveReader> _shadow = shadow;
    private TwoStageSource<PaeFormat, IdentityStage, LiveReader> _shadowPae = shadowPae;
    private PagingSource<IdentityStage, LiveReader> _own = own;
    private bool _isFourLevel;
    private long _flushes;

    public readonly bool IsPaging => true;

    public Translation Walk(ulong address, AccessRights needed)
    {
        if (!guest.IsShadowed())
        {
            return _own.Translate(address, needed);
        }

        if (_isFourLevel)
        {
            _shadow.Root = guest.Pager.ShadowRoot;
            return _shadow.Translate(address, needed);
        }

        // A guest with 32-bit or PAE paging has PAE shadow tables.
        _shadowPae.Root = guest.Pager.ShadowRootOf(address);
        return _shadowPae.Root != 0 ? _shadowPae.Translate(address, needed) : Translation.Fault(TranslationStatus.GuestNotPresent);
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
        _isFourLevel = registers.Mode == PagingMode.FourLevel;
        _own.Cr3 = registers.Cr3;
        _own.Pdptes = pointers;
        _own.Context = context;
        _shadow.Context = context;
    }
}
