using System.Numerics;

namespace MemVirt.Cpu.FloatingPoint.Arithmetic;

/// <summary>What a floating-point number is; NaNs last.</summary>
internal enum FloatKind : byte
{
    /// <summary>±0.</summary>
    Zero,

    /// <summary>A finite number other than 0.</summary>
    Finite,

    /// <summary>±∞.</summary>
    Infinity,

    /// <summary>A quiet NaN.</summary>
    QuietNaN,

    /// <summary>A signalling NaN.</summary>
    SignalingNaN,

    /// <summary>Of 80 bits: an encoding that the 8087 knew (Intel SDM Vol. 1 §8.2.2).</summary>
    Unsupported,
}

/// <summary>
/// A number of any of the formats, taken apart: significand × 2^(exponent − 63). Bit 63 of the significand is set, but in a result that is denormal
/// in its format.
/// </summary>
/// <param name="Kind">What it is.</param>
/// <param name="IsNegative">The sign.</param>
/// <param name="Exponent">The exponent of bit 63.</param>
/// <param name="Significand">The significand; of a NaN its payload, the quiet bit at 62.</param>
/// <param name="IsDenormal">Whether it was denormal where it came from.</param>
internal readonly record struct Unpacked(FloatKind Kind, bool IsNegative, int Exponent, ulong Significand, bool IsDenormal = false)
{
    /// <summary>The integer bit.</summary>
    public const ulong IntegerBit = 1UL << 63;

    private const ulong QuietBit = 1UL << 62;

    /// <summary>The NaN that an invalid operation returns: the real indefinite.</summary>
    public static Unpacked DefaultNaN => new(FloatKind.QuietNaN, true, 0, IntegerBit | QuietBit);

    /// <summary>Whether it is a NaN, or unsupported.</summary>
    public bool IsNaN => Kind >= FloatKind.QuietNaN;

    public static Unpacked Zero(bool isNegative) => new(FloatKind.Zero, isNegative, 0, 0);

    public static Unpacked Infinity(bool isNegative) => new(FloatKind.Infinity, isNegative, 0, IntegerBit);

    /// <summary>An integer, exactly.</summary>
    public static Unpacked Of(long value)
    {
        if (value == 0)
        {
            return Zero(false);
        }

        ulong magnitude = value < 0 ? 0 - (ulong)value : (ulong)value;
        int zeros = BitOperations.LeadingZeroCount(magnitude);
        return new Unpacked(FloatKind.Finite, value < 0, 63 - zeros, magnitude << zeros);
    }

    /// <summary>A number in a format of 32 or 64 bits.</summary>
    public static Unpacked Of(FloatFormat format, ulong bits, bool denormalsAreZero = false)
    {
        bool isNegative = (bits >> (format.FractionBits + format.ExponentBits) & 1) != 0;
        int exponent = (int)(bits >> format.FractionBits) & format.Special;
        ulong fraction = bits << (64 - format.FractionBits) >> 1;
        if (exponent == format.Special)
        {
            return fraction == 0 ? Infinity(isNegative) : NaN(isNegative, fraction);
        }

        if (exponent != 0)
        {
            return new Unpacked(FloatKind.Finite, isNegative, exponent - format.Bias, fraction | IntegerBit);
        }

        return fraction == 0 || denormalsAreZero ? Zero(isNegative) : Denormal(format, isNegative, fraction);
    }

    /// <summary>A number of 80 bits.</summary>
    public static Unpacked Of(Extended value)
    {
        int exponent = value.SignAndExponent & 0x7FFF;
        bool isNegative = value.SignAndExponent >> 15 != 0;
        ulong significand = value.Significand;
        if (exponent == 0)
        {
            return significand == 0 ? Zero(isNegative) : Denormal(FloatFormat.Extended, isNegative, significand);
        }

        if ((significand & IntegerBit) == 0)
        {
            return new Unpacked(FloatKind.Unsupported, isNegative, 0, significand);
        }

        if (exponent != 0x7FFF)
        {
            return new Unpacked(FloatKind.Finite, isNegative, exponent - FloatFormat.Extended.Bias, significand);
        }

        return significand == IntegerBit ? Infinity(isNegative) : NaN(isNegative, significand);
    }

    /// <summary>The number in a format of 32 or 64 bits, into which it fits.</summary>
    public ulong Pack(FloatFormat format)
    {
        ulong fraction = Significand << 1 >> (64 - format.FractionBits);
        ulong exponent = Kind switch
        {
            FloatKind.Zero => 0,
            FloatKind.Finite => (Significand & IntegerBit) == 0 ? 0 : (ulong)(Exponent + format.Bias),
            _ => (ulong)format.Special,
        };
        ulong sign = IsNegative ? 1UL : 0;
        return (sign << (format.FractionBits + format.ExponentBits)) | (exponent << format.FractionBits) | fraction;
    }

    /// <summary>The number in 80 bits, into which it fits.</summary>
    public Extended Pack()
    {
        int exponent = Kind switch
        {
            FloatKind.Zero => 0,
            FloatKind.Finite => (Significand & IntegerBit) == 0 ? 0 : Exponent + FloatFormat.Extended.Bias,
            _ => 0x7FFF,
        };
        return new Extended(Significand, (ushort)((IsNegative ? 0x8000 : 0) | exponent));
    }

    /// <summary>A NaN made quiet.</summary>
    public Unpacked Quiet() => this with { Kind = FloatKind.QuietNaN, Significand = Significand | IntegerBit | QuietBit };

    /// <summary>−x; of a NaN too.</summary>
    public Unpacked Negate() => this with { IsNegative = !IsNegative };

    private static Unpacked NaN(bool isNegative, ulong fraction)
        => new((fraction & QuietBit) != 0 ? FloatKind.QuietNaN : FloatKind.SignalingNaN, isNegative, 0, fraction | IntegerBit);

    private static Unpacked Denormal(FloatFormat format, bool isNegative, ulong fraction)
    {
        int zeros = BitOperations.LeadingZeroCount(fraction);
        return new Unpacked(FloatKind.Finite, isNegative, format.Least - zeros, fraction << zeros, IsDenormal: true);
    }
}
