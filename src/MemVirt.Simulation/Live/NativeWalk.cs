using MemVirt.Core.Access;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;

namespace MemVirt.Simulation.Live;

/// <summary>The guest's own tables, as if the guest-physical addresses in them were the machine's.</summary>
internal struct NativeWalk(PagingSource<IdentityStage, LiveReader> source, GuestRules rules) : ILiveWalk
{
    private PagingSource<IdentityStage, LiveReader> _source = source;

    public readonly bool IsPaging => rules.Mode != PagingMode.None;

    public Translation Walk(ulong address, AccessRights needed) => _source.Translate(address, needed);

    public readonly bool IsEmulated(ulong address) => false;

    public readonly bool TakeFlush() => false;

    public void Load(in PagingRegisters registers, PageDirectoryPointers pointers, uint context)
    {
        _source.Cr3 = registers.Cr3;
        _source.Pdptes = pointers;
        _source.Context = context;
    }
}
