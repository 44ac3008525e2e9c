using System.Diagnostics;
using System.Runtime.InteropServices;
using MemVirt.Core.Addresses;

namespace MemVirt.Core.Shadow;

/// <summary>
/// One shadow table. Kept by index in <see cref="ShadowPageSet"/>, and there may be as many as pages that a guest maps: 40 bytes, addresses
/// as frame numbers of 40 bits, which the order of its fields sees to.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ShadowPage
{
    private const ulong OutOfSyncBit = 1UL << ShadowRole.WordBits;
    private const int WritesShift = ShadowRole.WordBits + 1;
    private const ulong MaxWrites = 3;
    private const int RootBits = 24;
    private const ulong RootMask = (1UL << RootBits) - 1;

    /// <summary>The role, then whether out of sync, then writes since use.</summary>
    private ulong _word;

    /// <summary>The table's frame in bits 63:24, the lower bits of the root's in 23:0.</summary>
    private readonly ulong _tableAndRoot;

    /// <summary>The page whose table holds the entry that refers to it, or the first link of several; see <see cref="ParentLinks"/>.</summary>
    internal int Parent;
    internal ushort ParentSlot;
    private readonly ushort _rootHigh;

    /// <summary>The page made next before it, or −1.</summary>
    internal int Older;

    /// <summary>The page made next after it, or −1; of one that has been removed, the one removed before it.</summary>
    internal int Newer;

    /// <summary>The next page whose guest frame hashes alike, or −1; see <see cref="FrameIndex"/>.</summary>
    internal int NextOfBucket;

    /// <summary>The last search that came by, and in bit 0 what it found; see <see cref="ShadowPageSet.HangsBelow"/>.</summary>
    internal uint Search;

    internal ShadowPage(ShadowRole role, ulong table, ulong guestRoot)
    {
        _word = role.Word;
        (ulong tableFrame, ulong rootFrame) = (ShadowRole.FrameOf(table), ShadowRole.FrameOf(guestRoot));
        Debug.Assert((tableFrame | rootFrame) >> 40 == 0, "Physical addresses have 52 bits.");
        _tableAndRoot = (tableFrame << RootBits) | (rootFrame & RootMask);
        _rootHigh = (ushort)(rootFrame >> RootBits);
        ParentSlot = ParentLinks.NoParent;
    }

    internal readonly ShadowRole Role => new(_word);

    internal readonly ulong GuestFrame => Role.GuestFrame;

    internal readonly ulong TableFrame => _tableAndRoot >> RootBits;

    /// <summary>The host-physical address of the shadow table.</summary>
    internal readonly ulong Table => TableFrame << PageSize.Size4K.SizeLog2();

    /// <summary>The guest root under which it was made; synchronised with it, linked or not.</summary>
    internal readonly ulong GuestRoot => (((ulong)_rootHigh << RootBits) | (_tableAndRoot & RootMask)) << PageSize.Size4K.SizeLog2();

    /// <summary>A leaf table the guest may write freely until it is synchronised.</summary>
    internal bool OutOfSync
    {
        readonly get => (_word & OutOfSyncBit) != 0;
        set => _word = value ? _word | OutOfSyncBit : _word & ~OutOfSyncBit;
    }

    /// <summary>The guest has written to the table it shadows: how often since a shadow fault last passed through, 3 at most.</summary>
    internal int CountWrite()
    {
        _word += 1UL << WritesShift;
        Debug.Assert(_word >> WritesShift <= MaxWrites, "The third write removes the page.");
        return (int)(_word >> WritesShift);
    }

    /// <summary>A shadow fault passes through. It seldom has anything to write.</summary>
    internal void IsUsed()
    {
        if (_word >> WritesShift != 0)
        {
            _word &= (1UL << WritesShift) - 1;
        }
    }
}
