using System.Numerics;

namespace MemVirt.Cpu.FloatingPoint.Arithmetic;

/// <summary>
/// Addition, subtraction, multiplication, division and square root, exact but for the one rounding at their end, with the exceptions and NaNs of
/// the manual (Intel SDM Vol. 1 §4.8.3.5, §4.9.1 and §8.5).
/// </summary>
internal static class FloatArithmetic
{
    /// <summary>a + b.</summary>
    public static Unpacked Add(ref FloatEnvironment environment, FloatFormat format, Unpacked a, Unpacked b)
    {
        if (a.IsNaN || b.IsNaN)
        {
            return NaN(ref environment, a, b);
        }

        if (a.Kind == FloatKind.Infinity && b.Kind == FloatKind.Infinity && a.IsNegative != b.IsNegative)
        {
            return Invalid(ref environment);
        }

        NoteDenormals(ref environment, a, b);
        if (a.Kind == FloatKind.Infinity || b.Kind == FloatKind.Infinity)
        {
            return Unpacked.Infinity(a.Kind == FloatKind.Infinity ? a.IsNegative : b.IsNegative);
        }

        if (a.Kind == FloatKind.Zero || b.Kind == FloatKind.Zero)
        {
            bool both = a.Kind == b.Kind;
            return both
                ? Unpacked.Zero(a.IsNegative == b.IsNegative ? a.IsNegative : environment.Rounding == Rounding.Down)
                : Rounder.Round(ref environment, format, a.Kind == FloatKind.Zero ? b : a);
        }

        return Sum(ref environment, format, a, b);
    }

    /// <summary>a − b. A NaN keeps its sign.</summary>
    public static Unpacked Subtract(ref FloatEnvironment environment, FloatFormat format, Unpacked a, Unpacked b)
        => Add(ref environment, format, a, b.IsNaN ? b : b.Negate());

    /// <summary>a × b.</summary>
    public static Unpacked Multiply(ref FloatEnvironment environment, FloatFormat format, Unpacked a, Unpacked b)
    {
        if (a.IsNaN || b.IsNaN)
        {
            return NaN(ref environment, a, b);
        }

        bool isNegative = a.IsNegative != b.IsNegative;
        bool isZero = a.Kind == FloatKind.Zero || b.Kind == FloatKind.Zero;
        bool isInfinite = a.Kind == FloatKind.Infinity || b.Kind == FloatKind.Infinity;
        if (isZero && isInfinite)
        {
            return Invalid(ref environment);
        }

        NoteDenormals(ref environment, a, b);
        if (isInfinite || isZero)
        {
            return isZero ? Unpacked.Zero(isNegative) : Unpacked.Infinity(isNegative);
        }

        ulong high = Math.BigMul(a.Significand, b.Significand, out ulong low);
        return Normalised(ref environment, format, isNegative, a.Exponent + b.Exponent + 1, new UInt128(high, low));
    }

    /// <summary>a ÷ b.</summary>
    public static Unpacked Divide(ref FloatEnvironment environment, FloatFormat format, Unpacked a, Unpacked b)
    {
        if (a.IsNaN || b.IsNaN)
        {
            return NaN(ref environment, a, b);
        }

        bool isNegative = a.IsNegative != b.IsNegative;
        if (a.Kind == b.Kind && a.Kind != FloatKind.Finite)
        {
            return Invalid(ref environment);
        }

        if (b.Kind == FloatKind.Zero && a.Kind == FloatKind.Finite)
        {
            environment.Flags |= FloatFlags.ZeroDivide;
            return Unpacked.Infinity(isNegative);
        }

        NoteDenormals(ref environment, a, b);
        if (a.Kind == FloatKind.Infinity || b.Kind == FloatKind.Zero)
        {
            return Unpacked.Infinity(isNegative);
        }

        if (a.Kind == FloatKind.Zero || b.Kind == FloatKind.Infinity)
        {
            return Unpacked.Zero(isNegative);
        }

        bool isLess = a.Significand < b.Significand;
        UInt128 dividend = (UInt128)a.Significand << (isLess ? 64 : 63);
        (UInt128 quotient, UInt128 remainder) = UInt128.DivRem(dividend, b.Significand);
        (UInt128 rest, UInt128 last) = UInt128.DivRem(remainder << 64, b.Significand);
        return Rounder.Round(
            ref environment, format, isNegative, a.Exponent - b.Exponent - (isLess ? 1 : 0), (ulong)quotient, (ulong)rest | (last != 0 ? 1UL : 0));
    }

    /// <summary>√a.</summary>
    public static Unpacked SquareRoot(ref FloatEnvironment environment, FloatFormat format, Unpacked a)
    {
        if (a.IsNaN)
        {
            return NaN(ref environment, a, a);
        }

        if (a.IsNegative && a.Kind != FloatKind.Zero)
        {
            return Invalid(ref environment);
        }

        NoteDenormals(ref environment, a, a);
        if (a.Kind != FloatKind.Finite)
        {
            return a;
        }

        bool isOdd = (a.Exponent & 1) != 0;
        UInt128 square = (UInt128)a.Significand << (isOdd ? 64 : 63);
        ulong root = RootOf(square);
        UInt128 remainder = square - ((UInt128)root * root);

        // Never a half exactly: (r + ½)² is no integer.
        ulong rest = remainder == 0 ? 0 : remainder <= root ? 1UL : (1UL << 63) | 1;
        return Rounder.Round(ref environment, format, isNegative: false, a.Exponent >> 1, root, rest);
    }

    /// <summary>What an operation with a NaN among its operands returns (Intel SDM Vol. 1 table 4-7).</summary>
    public static Unpacked NaN(ref FloatEnvironment environment, Unpacked a, Unpacked b)
    {
        if (a.Kind == FloatKind.Unsupported || b.Kind == FloatKind.Unsupported)
        {
            return Invalid(ref environment);
        }

        if (a.Kind == FloatKind.SignalingNaN || b.Kind == FloatKind.SignalingNaN)
        {
            environment.Flags |= FloatFlags.Invalid;
        }

        if (!a.IsNaN || !b.IsNaN || !environment.IsX87)
        {
            return (a.IsNaN ? a : b).Quiet();
        }

        if (a.Kind != b.Kind)
        {
            return a.Kind == FloatKind.QuietNaN ? a : b;
        }

        bool isFirst = a.Significand != b.Significand ? a.Significand > b.Significand : !a.IsNegative;
        return (isFirst ? a : b).Quiet();
    }

    /// <summary>#I: the indefinite NaN.</summary>
    public static Unpacked Invalid(ref FloatEnvironment environment)
    {
        environment.Flags |= FloatFlags.Invalid;
        return Unpacked.DefaultNaN;
    }

    /// <summary>#D where an operand is denormal.</summary>
    public static void NoteDenormals(ref FloatEnvironment environment, Unpacked a, Unpacked b)
    {
        if (a.IsDenormal || b.IsDenormal)
        {
            environment.Flags |= FloatFlags.Denormal;
        }
    }

    private static Unpacked Sum(ref FloatEnvironment environment, FloatFormat format, Unpacked a, Unpacked b)
    {
        if (a.Exponent < b.Exponent || (a.Exponent == b.Exponent && a.Significand < b.Significand))
        {
            (a, b) = (b, a);
        }

        // A bit for the carry above, 63 below.
        UInt128 large = (UInt128)a.Significand << 63;
        UInt128 small = (UInt128)b.Significand << 63;
        int by = a.Exponent - b.Exponent;
        small = by >= 127 ? UInt128.One : (small >> by) | (small << (128 - by) != 0 && by != 0 ? UInt128.One : UInt128.Zero);
        UInt128 sum = a.IsNegative == b.IsNegative ? large + small : large - small;
        return sum == 0
            ? Unpacked.Zero(environment.Rounding == Rounding.Down)
            : Normalised(ref environment, format, a.IsNegative, a.Exponent + 1, sum);
    }

    // The exponent is that of bit 127.
    private static Unpacked Normalised(ref FloatEnvironment environment, FloatFormat format, bool isNegative, int exponent, UInt128 value)
    {
        var zeros = (int)UInt128.LeadingZeroCount(value);
        UInt128 shifted = value << zeros;
        return Rounder.Round(ref environment, format, isNegative, exponent - zeros, (ulong)(shifted >> 64), (ulong)shifted);
    }

    /// <summary>The integer part of the square root of at least 2^126.</summary>
    private static ulong RootOf(UInt128 square)
    {
        // Newton's step from above, where it cannot fall below the root.
        double estimate = Math.Ceiling(Math.Sqrt((double)square) * (1 + 1e-15));
        ulong root = estimate >= 18446744073709551615.0 ? ulong.MaxValue : (ulong)estimate;
        while (true)
        {
            UInt128 next = ((UInt128)root + (square / root)) >> 1;
            if (next >= root)
            {
                return root;
            }

            root = (ulong)next;
        }
    }
}
