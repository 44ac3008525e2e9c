using MemVirt.Core.Access;
using MemVirt.Core.Sources;

namespace MemVirt.Simulation.Engine;

/// <summary>What a handled fault drops from the TLBs and walk caches.</summary>
internal enum FaultEffect
{
    /// <summary>Nothing of the access's own address.</summary>
    None,

    /// <summary>The entries of the access's address in the current context.</summary>
    DropAddress,

    /// <summary>Everything.</summary>
    FlushAll,
}

/// <summary>One regime: the hardware's walk, and the software behind its faults.</summary>
internal interface IRegimeModel
{
    /// <summary>Walks bits 47:0 of a linear address as the hardware does.</summary>
    Translation Walk(ulong address, AccessRights needed);

    /// <summary>Handles the fault that a walk returned.</summary>
    FaultEffect HandleFault(in Translation fault, ulong address, bool store);

    /// <summary>Loads the root of a process; the counters of a change of process are the caller's.</summary>
    void SwitchTo(int process, uint context);
}
