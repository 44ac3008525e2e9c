using MemVirt.Core.Addresses;
using MemVirt.Core.Mapping;

namespace MemVirt.Core.Slots;

/// <summary>
/// A run of guest-physical memory with a run of host-physical memory behind it. It never changes; a change makes another.
/// </summary>
/// <param name="Id">Its name among the slots of a guest.</param>
/// <param name="Start">Its first guest-physical address, a multiple of 4 KiB.</param>
/// <param name="LengthBytes">A multiple of 4 KiB, at least that.</param>
/// <param name="Backing">The host-physical address behind <paramref name="Start"/>, a multiple of 4 KiB.</param>
/// <param name="IsReadOnly">Whether a guest's write is the VMM's to handle, as in ROM.</param>
public sealed record MemorySlot(
    int Id, GuestPhysicalAddress Start, ulong LengthBytes, HostPhysicalAddress Backing, bool IsReadOnly = false)
{
    /// <summary>How writes are logged.</summary>
    public DirtyLogging Logging { get; internal init; }

    /// <summary>
    /// The marks; null where <see cref="Logging"/> is off. The same object for as long as it is on, wherever the slot moves.
    /// </summary>
    public DirtyLog? Log { get; internal init; }

    /// <summary>Its guest-physical addresses.</summary>
    public AddressRange Range => new(Start.Value, LengthBytes);

    /// <summary>Its pages of 4 KiB.</summary>
    public long Pages => (long)(LengthBytes >> (int)PageSize.Size4K);

    /// <summary>The host-physical address behind a guest-physical one of the slot.</summary>
    public ulong BackingOf(ulong gpa) => Backing.Value + (gpa - Start.Value);

    /// <summary>The number, within the slot, of the 4 KiB page of a guest-physical address.</summary>
    public long PageOf(ulong gpa) => (long)((gpa - Start.Value) >> (int)PageSize.Size4K);

    /// <inheritdoc/>
    public override string ToString() => $"slot {Id} {Range}";
}
