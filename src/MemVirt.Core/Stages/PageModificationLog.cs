using MemVirt.Core.Addresses;

namespace MemVirt.Core.Stages;

/// <summary>
/// A virtual processor's page-modification log (Intel SDM Vol. 3C §28.3.6): the guest-physical pages whose EPT dirty flag went from 0
/// to 1, in a buffer of 512 that fills from the end. One processor writes it; the VMM reads it while that one is stopped.
/// </summary>
public sealed class PageModificationLog
{
    /// <summary>Entries of the buffer.</summary>
    public const int Capacity = 512;

    private readonly ulong[] _pages = new ulong[Capacity];

    /// <summary>The PML index: where the next page goes. Above 511 the log is full: an access that must set a flag exits first.</summary>
    public ushort Index { get; set; } = Capacity - 1;

    /// <summary>Whether there is no room.</summary>
    public bool IsFull => Index >= Capacity;

    /// <summary>The buffer, by index.</summary>
    public ReadOnlySpan<ulong> Pages => _pages;

    /// <summary>The pages logged since the index was last reset, newest first, aligned to 4 KiB.</summary>
    public ReadOnlySpan<ulong> Logged => _pages.AsSpan((ushort)(Index + 1));

    /// <summary>Makes the log empty.</summary>
    public void Reset() => Index = Capacity - 1;

    /// <summary>Logs the page of a guest-physical address; there is room.</summary>
    internal void Add(ulong gpa)
    {
        _pages[Index] = gpa & AddressBits.Frame;
        Index--;
    }
}
