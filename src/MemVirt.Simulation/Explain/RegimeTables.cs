using MemVirt.Core.Memory;
using MemVirt.Core.Shadow;
using MemVirt.Simulation.Engine;

namespace MemVirt.Simulation.Explain;

/// <summary>Where the tables of a regime with one process lie.</summary>
/// <param name="Host">Host memory.</param>
/// <param name="GuestRoot">The address of the guest's root table in the guest's physical memory; native's in the host's.</param>
/// <param name="Guest">The guest's memory; null for native.</param>
/// <param name="SecondStageRoot">The host-physical address of the second stage's root, where there is one.</param>
/// <param name="Pager">The shadow pager, where there is one.</param>
/// <param name="Watch">Who is told of writes to the guest's tables, where anybody is.</param>
internal sealed record RegimeTables(
    SparseMemory Host, ulong GuestRoot, GuestMemory? Guest = null, ulong SecondStageRoot = 0, ShadowPager? Pager = null,
    ShadowWriteWatch? Watch = null)
{
    /// <summary>The root that hardware walks.</summary>
    internal ulong HardwareRoot => Pager?.ShadowRoot ?? GuestRoot;

    /// <summary>Reads an entry of the guest's tables.</summary>
    internal ulong ReadGuest(ulong entryAddress) => Guest is null ? Host.Read(entryAddress) : Guest.Read(entryAddress);

    /// <summary>Writes an entry of the guest's tables, as the guest does: a shadow pager notices.</summary>
    internal void WriteGuest(ulong entryAddress, ulong entry, int level)
    {
        if (Guest is null)
        {
            Host.Write(entryAddress, entry);
        }
        else
        {
            Guest.Write(entryAddress, entry);
            Watch?.Written(entryAddress, level);
        }
    }
}
