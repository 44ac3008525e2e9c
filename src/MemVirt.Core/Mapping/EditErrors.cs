using System.Diagnostics.CodeAnalysis;
using MemVirt.Core.Access;

namespace MemVirt.Core.Mapping;

/// <summary>
/// What the editor throws: for arguments that no tables could satisfy, and for a failure that its caller did not look at.
/// </summary>
internal static class EditErrors
{
    [DoesNotReturn]
    internal static void Misaligned(string what, ulong address, ulong bytes)
        => throw new ArgumentException($"The {what} 0x{address:x} is not aligned to 0x{bytes:x} bytes.");

    [DoesNotReturn]
    internal static void OutOfReach(AddressRange range, int bits)
        => throw new ArgumentException($"The range {range} is empty or does not lie within {bits} address bits.");

    [DoesNotReturn]
    internal static void PageOutOfReach(ulong page)
        => throw new ArgumentException($"No entry of that size can point to the page 0x{page:x}.");

    [DoesNotReturn]
    internal static void RightsNotExpressible(AccessRights rights)
        => throw new ArgumentException(
            $"No valid entry grants exactly {rights}: give Read with Write, and Unmap to take everything.");

    [DoesNotReturn]
    internal static void NotALargePage(string what)
        => throw new ArgumentException($"{what}: 2M and 1G pages are made of smaller ones, a 4K page is not.");

    [DoesNotReturn]
    internal static void LargerPageOnTheWay(ulong address, int level)
        => throw new InvalidOperationException($"A page mapped at level {level} covers 0x{address:x}: split it first.");

    [DoesNotReturn]
    internal static void Failed(EditStatus status, ulong address)
        => throw new InvalidOperationException($"The edit was not made: {status} at 0x{address:x}.");
}
