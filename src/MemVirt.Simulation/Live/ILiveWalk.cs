using MemVirt.Core.Access;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;

namespace MemVirt.Simulation.Live;

/// <summary>One regime's walk over the tables of a running guest.</summary>
internal interface ILiveWalk
{
    /// <summary>Walks as the hardware does; second-stage faults are mended on the way, and counted.</summary>
    Translation Walk(ulong address, AccessRights needed);

    /// <summary>The guest's registers, and the context that walk caches are tagged with.</summary>
    void Load(in PagingRegisters registers, PageDirectoryPointers pointers, uint context);

    /// <summary>Whether a store that the walk does not allow is the VMM's to emulate: it ends there.</summary>
    bool IsEmulated(ulong address);

    /// <summary>Whether the VMM has had the guest's TLBs flushed since the last call.</summary>
    bool TakeFlush();

    /// <summary>Whether the guest pages at all.</summary>
    bool IsPaging { get; }
}
