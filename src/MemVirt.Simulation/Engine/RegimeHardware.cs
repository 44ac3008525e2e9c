using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Simulation.Engine;

/// <summary>The hardware around a regime's walk, and where it counts.</summary>
internal sealed record RegimeHardware(
    TlbLevel L1i,
    TlbLevel L1d,
    TlbLevel? L2,
    PagingStructureCaches? WalkCaches,
    PagingStructureCaches? NestedCaches,
    NestedTlb? NestedTlb,
    DataCaches? DataCaches,
    WalkMeter Meter,
    EventCounters Events,
    SliceRecorder? Slices,
    uint VirtualProcessor);
