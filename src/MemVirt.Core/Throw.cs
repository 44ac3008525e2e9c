using System.Diagnostics.CodeAnalysis;

namespace MemVirt.Core;

/// <summary>All throwing in one place, so that callers stay small enough to inline.</summary>
internal static class Throw
{
    [DoesNotReturn]
    internal static void NotCanonical(ulong value)
        => throw new ArgumentOutOfRangeException(nameof(value), $"0x{value:x} is not canonical: bits 63:56 must be equal.");

    [DoesNotReturn]
    internal static void PhysicalAddressTooWide(ulong value)
        => throw new ArgumentOutOfRangeException(nameof(value), $"0x{value:x} has more than 52 bits.");

    [DoesNotReturn]
    internal static void OutOfPhysicalMemory(ulong end, ulong limit)
        => throw new InvalidOperationException($"Physical memory is used up: 0x{end:x} lies past the limit of 0x{limit:x} bytes.");

    [DoesNotReturn]
    internal static void BadGeometry(string message) => throw new ArgumentException(message);

    [DoesNotReturn]
    internal static void NoWatch()
        => throw new InvalidOperationException("The MMU watches nothing: give it a FrameWatch first.");

    [DoesNotReturn]
    internal static void ContextOutOfRange(string name, uint value, uint limit)
        => throw new ArgumentOutOfRangeException(name, $"{name} {value} is above {limit}.");
}
