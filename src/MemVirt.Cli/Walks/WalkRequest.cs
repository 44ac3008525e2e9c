using MemVirt.Core.Addresses;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Cli.Walks;

/// <summary>What a <c>memvirt walk</c> command line asks for, checked.</summary>
internal sealed record WalkRequest(
    ulong GuestVirtualAddress,
    ReferenceKind Access,
    IReadOnlyList<Regime> Regimes,
    PageSize GuestPages,
    PageSize HostPages,
    MachineDescription Machine);
