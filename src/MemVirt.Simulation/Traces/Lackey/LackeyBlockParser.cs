using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MemVirt.Simulation.Traces.Lackey;

/// <summary>
/// The fast path of the text reader: lines of a reference with an address of up to 15 digits below the upper half and a size
/// of one or two digits, which are all but a few. The scalar code it equals is <see cref="LackeyLine.Parse"/>.
/// </summary>
internal static class LackeyBlockParser
{
    /// <summary>Bytes past the last line that may be read, so that a vector can be loaded anywhere.</summary>
    public const int SlackBytes = 32;

    // Addresses from here on may end past the lower half: the slow path looks closer.
    private const ulong SafeAddressLimit = (1UL << 47) - (1 << 14);

    // The first three bytes of a line by the low four bits of the second; above them the kind and, in bit 2, whether a store follows.
    private static ReadOnlySpan<uint> Prefixes =>
    [
        0x00202049, uint.MaxValue, uint.MaxValue, 0x02205320,
        uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue,
        uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue,
        0x01204C20, 0x05204D20, uint.MaxValue, uint.MaxValue,
    ];

    // From entry n on, 16 indices that move n leading bytes to the end of a vector; 0xFF takes none.
    private static ReadOnlySpan<byte> RightAligned =>
    [
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
    ];

    /// <summary>Whether this machine has the vectors; without them every line goes the plain way.</summary>
    public static bool IsSupported => Vector128.IsHardwareAccelerated && BitConverter.IsLittleEndian;

    /// <summary>
    /// Parses whole lines from <paramref name="position"/> on until one is not for the fast path, <paramref name="end"/> is
    /// reached or there is no room for two more references. <paramref name="end"/> lies behind a line feed, and
    /// <see cref="SlackBytes"/> may be read past it.
    /// </summary>
    /// <returns>References written.</returns>
    public static int Parse(
        ReadOnlySpan<byte> text, ref int position, int end, ref long lines, Span<MemoryReference> destination)
    {
        ref byte start = ref MemoryMarshal.GetReference(text);
        ref uint prefixes = ref MemoryMarshal.GetReference(Prefixes);
        ref byte rightAligned = ref MemoryMarshal.GetReference(RightAligned);
        ref ulong output = ref Unsafe.As<MemoryReference, ulong>(ref MemoryMarshal.GetReference(destination));
        int at = position;
        int filled = 0;
        int parsed = 0;
        while (at < end && filled < destination.Length - 1)
        {
            ref byte line = ref Unsafe.Add(ref start, at);
            uint prefix = Unsafe.ReadUnaligned<uint>(ref line);
            uint known = Unsafe.Add(ref prefixes, (prefix >> 8) & 15);
            Vector128<byte> text16 = Vector128.LoadUnsafe(ref line, 3);
            uint commas = Vector128.Equals(text16, Vector128.Create((byte)',')).ExtractMostSignificantBits();
            int digits = System.Numerics.BitOperations.TrailingZeroCount(commas | 0x10000);

            // The digits move to the end of the vector, where the indices say; before them, where they say none, come zeros.
            Vector128<byte> indices = Vector128.LoadUnsafe(ref rightAligned, (nuint)digits);
            Vector128<byte> zeros = Vector128.LessThan(indices.AsSByte(), Vector128<sbyte>.Zero).AsByte() & Vector128.Create((byte)'0');
            ulong address = Hexadecimal(Vector128.ShuffleNative(text16, indices) | zeros, out bool areHexadecimal);

            // Behind the comma: a digit and a line feed, or two digits and a line feed.
            uint tail = Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref line, digits + 4));
            uint size = (tail & 0xFF) - '0';
            int length = digits + 6;
            if ((tail & 0xFF00) == '\n' << 8)
            {
                if (size > 9)
                {
                    break;
                }
            }
            else
            {
                uint second = ((tail >> 8) & 0xFF) - '0';
                if (size > 9 || second > 9 || (tail & 0xFF0000) != '\n' << 16)
                {
                    break;
                }

                size = (size * 10) + second;
                length++;
            }

            if (((prefix ^ known) & 0xFFFFFF) != 0 || (uint)(digits - 1) > 14 || !areHexadecimal
                || size - 1 > 98 || address >= SafeAddressLimit)
            {
                break;
            }

            ulong packed = address | ((ulong)(known >> 24) & 3) << 48 | (ulong)size << 50;
            Unsafe.Add(ref output, filled) = packed;
            Unsafe.Add(ref output, filled + 1) = packed + (1UL << 48);
            filled += 1 + (int)(known >> 26);
            at += length;
            parsed++;
        }

        position = at;
        lines += parsed;
        return filled;
    }

    /// <summary>
    /// The number of 16 hexadecimal digits, byte 15 the lowest.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // In the loop above, measured: a call costs a third of it.
    private static ulong Hexadecimal(Vector128<byte> digits, out bool areHexadecimal)
    {
        // Digits: c - '0' is at most 9. Letters: (c | 0x20) - 'a' is at most 5.
        Vector128<byte> decimalDigit = digits - Vector128.Create((byte)'0');
        Vector128<byte> letter = (digits | Vector128.Create((byte)0x20)) - Vector128.Create((byte)'a');
        Vector128<byte> isDecimal = Vector128.LessThanOrEqual(decimalDigit, Vector128.Create((byte)9));
        Vector128<byte> isLetter = Vector128.LessThanOrEqual(letter, Vector128.Create((byte)5));
        areHexadecimal = (isDecimal | isLetter) == Vector128<byte>.AllBitsSet;

        // Two digits make a byte: in 16-bit lanes the high digit comes first, and so lies in the low byte.
        Vector128<byte> nibbles = (decimalDigit & isDecimal) | ((letter + Vector128.Create((byte)10)) & isLetter);
        Vector128<ushort> pairs = nibbles.AsUInt16();
        Vector128<ushort> bytes = ((pairs << 4) | (pairs >> 8)) & Vector128.Create((ushort)0xFF);
        return BinaryPrimitives.ReverseEndianness(Vector128.Narrow(bytes, bytes).AsUInt64().ToScalar());
    }
}
