using MemVirt.Cpu.FloatingPoint.Arithmetic;

namespace MemVirt.Cpu.FloatingPoint;

/// <summary>Integers of 18 decimal digits, two a byte, and a sign (Intel SDM Vol. 1 §4.7).</summary>
internal static class PackedDecimal
{
    private const long Most = 999_999_999_999_999_999;
    private const int DigitBytes = 9;

    /// <summary>A number; digits above 9 count as they are.</summary>
    public static Unpacked Read(ReadOnlySpan<byte> bytes)
    {
        long value = 0;
        for (int i = DigitBytes - 1; i >= 0; i--)
        {
            value = (value * 100) + ((bytes[i] >> 4) * 10) + (bytes[i] & 15);
        }

        return Unpacked.Of(value) with { IsNegative = (bytes[DigitBytes] & 0x80) != 0 };
    }

    /// <summary>Writes a number, rounded; what has more than 18 digits is #I and the indefinite.</summary>
    public static void Write(ref FloatEnvironment environment, Unpacked value, Span<byte> bytes)
    {
        FloatEnvironment before = environment;
        long integer = FloatIntegers.Convert(ref environment, value, 64, environment.Rounding);
        if (integer is > Most or < -Most)
        {
            environment = before;
            environment.Flags |= FloatFlags.Invalid;
            bytes.Clear();
            (bytes[7], bytes[8], bytes[9]) = (0xC0, 0xFF, 0xFF);
            return;
        }

        long digits = Math.Abs(integer);
        for (int i = 0; i < DigitBytes; i++, digits /= 100)
        {
            bytes[i] = (byte)((digits / 10 % 10 << 4) | (digits % 10));
        }

        bytes[DigitBytes] = value.IsNegative ? (byte)0x80 : (byte)0;
    }
}
