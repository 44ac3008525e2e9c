using System.Runtime.CompilerServices;
using MemVirt.Core.Access;

namespace MemVirt.Core.Memory;

/// <summary>
/// Which kinds of access to which host frames somebody watches: of frames that hold decoded code the writes, of device memory
/// everything. An <see cref="Mmu"/> withholds those fast rights when it fills its front, so that a hit never asks. Serves one thread.
/// </summary>
public sealed class FrameWatch
{
    /// <summary>Every kind of access: what is no RAM.</summary>
    public const AccessRights Everything = AccessRights.Read | AccessRights.Write | AccessRights.Execute;

    private const int FrameShift = 12;
    private readonly byte[] _kinds;

    /// <summary>Nothing is watched below a limit, everything from there on: what is no RAM.</summary>
    /// <param name="ramBytes">The end of RAM in host-physical space, a multiple of 4 KiB. Cost: a byte a frame.</param>
    public FrameWatch(ulong ramBytes) => _kinds = new byte[ramBytes >> FrameShift];

    /// <summary>The kinds of access that are watched at a host-physical address.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public AccessRights Of(ulong hpa)
    {
        ulong frame = hpa >> FrameShift;
        return frame < (ulong)_kinds.Length ? (AccessRights)_kinds[frame] : Everything;
    }

    /// <summary>Watches a frame's accesses of some kinds too. What an MMU's front holds is its affair: <see cref="Mmu.StartWatching"/>.</summary>
    /// <exception cref="IndexOutOfRangeException">The address lies past RAM.</exception>
    public void Add(ulong hpa, AccessRights kinds) => _kinds[hpa >> FrameShift] |= (byte)kinds;

    /// <summary>Stops to watch accesses of some kinds; they are fast again after their next walk or hit of the TLB.</summary>
    /// <exception cref="IndexOutOfRangeException">The address lies past RAM.</exception>
    public void Remove(ulong hpa, AccessRights kinds) => _kinds[hpa >> FrameShift] &= (byte)~kinds;
}
