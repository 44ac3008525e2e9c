using MemVirt.Core.Addresses;
using MemVirt.Simulation.Machines;

namespace MemVirt.Simulation;

/// <summary>One machine with one pair of page sizes: what one comparison is made of.</summary>
/// <param name="Machine">The machine.</param>
/// <param name="GuestPages">The page size of the guest's operating system.</param>
/// <param name="HostPages">The page size with which the VMM backs guest-physical memory.</param>
public sealed record ComparisonPoint(MachineDescription Machine, PageSize GuestPages, PageSize HostPages);
