using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Shadow;

namespace MemVirt.Simulation.Live;

/// <summary>
/// A guest that runs while it is compared. It runs under shadow paging, whose exits are therefore those of a real pager; the other regimes
/// walk its tables where they lie.
/// </summary>
/// <param name="Memory">The guest's physical memory.</param>
/// <param name="Host">Host memory, which holds that and the shadow tables.</param>
/// <param name="Pager">The pager that shadows the guest.</param>
/// <param name="IsShadowed">Whether its tables are shadowed now.</param>
/// <param name="Features">What its CPUID says.</param>
public sealed record LiveGuest(
    GuestMemory Memory, SparseMemory Host, ShadowPager Pager, Func<bool> IsShadowed, ProcessorFeatures Features);
