using System.Diagnostics.CodeAnalysis;

namespace MemVirt.Core.Slots;

/// <summary>What slots throw, each in one line that names the slot and what is in its way.</summary>
internal static class SlotErrors
{
    [DoesNotReturn]
    internal static void IdTaken(MemorySlot taken) => throw new ArgumentException($"There is a {taken} already.");

    [DoesNotReturn]
    internal static void NoSuchSlot(int id) => throw new ArgumentException($"There is no slot {id}.");

    [DoesNotReturn]
    internal static void TooMany(int limit)
        => throw new ArgumentException($"There are {limit} slots already, which is the limit.");

    [DoesNotReturn]
    internal static void Overlap(MemorySlot slot, MemorySlot other)
        => throw new ArgumentException($"The {slot} would overlap {other}.");

    [DoesNotReturn]
    internal static void Misaligned(MemorySlot slot)
        => throw new ArgumentException(
            $"The {slot} behind which lies {slot.Backing} must start, end and be backed at multiples of 4 KiB and hold some.");

    [DoesNotReturn]
    internal static void TooLong(MemorySlot slot)
        => throw new ArgumentException($"The {slot}, or the memory behind it at {slot.Backing}, goes past 52 address bits.");

    [DoesNotReturn]
    internal static void PastReach(MemorySlot slot, int bits)
        => throw new ArgumentException($"The {slot} goes past the {bits} address bits that the second stage translates.");

    [DoesNotReturn]
    internal static void NotLogging(MemorySlot slot)
        => throw new InvalidOperationException($"The {slot} logs no writes: arm it first.");

    [DoesNotReturn]
    internal static void StillLogging(MemorySlot slot) => throw new InvalidOperationException($"The {slot} logs writes: disarm it first.");

    [DoesNotReturn]
    internal static void NoDirtyBits(string format)
        => throw new ArgumentException($"{format} keeps no dirty bits: log by write protection.");

    [DoesNotReturn]
    internal static void BitmapTooShort(int words, int needed)
        => throw new ArgumentException($"The bitmap has {words} words, and the slot's log {needed}.");
}
