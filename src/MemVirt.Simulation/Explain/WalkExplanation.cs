using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Results;

namespace MemVirt.Simulation.Explain;

/// <summary>One table read of a walk.</summary>
/// <param name="Kind">Whose table it is.</param>
/// <param name="Level">The table's level, 0 for the leaf table.</param>
/// <param name="HostAddress">The entry's host-physical address.</param>
/// <param name="Entry">The 64-bit entry.</param>
public sealed record WalkRead(TableKind Kind, int Level, ulong HostAddress, ulong Entry);

/// <summary>One access under one regime: the faults that came first, then every reference of the walk that completed.</summary>
/// <param name="Regime">The regime.</param>
/// <param name="Address">The linear address.</param>
/// <param name="Access">What the access does.</param>
/// <param name="Reads">The table reads in order.</param>
/// <param name="GuestPhysical">The guest-physical address reached; under shadow paging the hardware never sees one, and it is the host's.</param>
/// <param name="HostPhysical">The host-physical address reached.</param>
/// <param name="PageSize">The effective page size.</param>
/// <param name="Events">The software events of the first touch that made the translation possible.</param>
public sealed record WalkExplanation(
    Regime Regime,
    ulong Address,
    MemoryAccess Access,
    IReadOnlyList<WalkRead> Reads,
    ulong GuestPhysical,
    ulong HostPhysical,
    PageSize PageSize,
    EventCounts Events);
