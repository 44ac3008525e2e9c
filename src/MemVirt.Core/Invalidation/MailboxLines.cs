using System.Runtime.InteropServices;

namespace MemVirt.Core.Invalidation;

/// <summary>
/// What sender and processor tell each other, each on a cache line of its own, so that polling stays in the cache.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 192)]
internal struct MailboxLines
{
    /// <summary>Messages posted. Written by senders, after all else of a message.</summary>
    [FieldOffset(64)]
    internal long Posted;

    /// <summary>Messages up to this one are one that forgets everything.</summary>
    [FieldOffset(72)]
    internal long ForgetAllThrough;

    /// <summary>The bus's number of the last message.</summary>
    [FieldOffset(80)]
    internal long LastNumber;

    /// <summary>Messages taken. Written by the processor, and read by it only.</summary>
    [FieldOffset(128)]
    internal long Taken;

    /// <summary>Messages applied: their slots are free.</summary>
    [FieldOffset(136)]
    internal long Applied;

    /// <summary>The bus's number of the last message applied.</summary>
    [FieldOffset(144)]
    internal long AppliedNumber;

    /// <summary>1 where the processor runs no guest code.</summary>
    [FieldOffset(152)]
    internal int Parked;
}
