namespace MemVirt.Cpu.FloatingPoint.Arithmetic;

/// <summary>FPREM and FPREM1: exact remainders, reduced by at most 63 bits of exponent a step.</summary>
internal static class FloatRemainder
{
    private const int MostBits = 63;

    /// <summary>a less a multiple of b.</summary>
    /// <param name="environment">What is met.</param>
    /// <param name="a">The dividend.</param>
    /// <param name="b">The divisor.</param>
    /// <param name="toNearest">Whether the quotient is rounded to nearest even (FPREM1), or cut (FPREM).</param>
    /// <param name="quotient">The quotient's low bits.</param>
    /// <param name="isComplete">Whether the remainder is smaller than the divisor.</param>
    public static Unpacked Reduce(ref FloatEnvironment environment, Unpacked a, Unpacked b, bool toNearest, out ulong quotient, out bool isComplete)
    {
        (quotient, isComplete) = (0, true);
        if (a.IsNaN || b.IsNaN)
        {
            return FloatArithmetic.NaN(ref environment, a, b);
        }

        if (a.Kind == FloatKind.Infinity || b.Kind == FloatKind.Zero)
        {
            return FloatArithmetic.Invalid(ref environment);
        }

        FloatArithmetic.NoteDenormals(ref environment, a, b);
        int apart = a.Exponent - b.Exponent;
        if (a.Kind == FloatKind.Zero || b.Kind == FloatKind.Infinity || apart < (toNearest ? -1 : 0))
        {
            return Rounder.Round(ref environment, FloatFormat.Extended, a);
        }

        if (apart > MostBits)
        {
            isComplete = false;
            return Partial(ref environment, a, b, apart);
        }

        // In units of b's last bit, or half of it where a is the smaller.
        UInt128 dividend = apart < 0 ? a.Significand : (UInt128)a.Significand << apart;
        UInt128 divisor = apart < 0 ? (UInt128)b.Significand << 1 : b.Significand;
        int unit = (apart < 0 ? a.Exponent : b.Exponent) - 63;
        (UInt128 whole, UInt128 rest) = UInt128.DivRem(dividend, divisor);
        bool isNegative = a.IsNegative;
        bool isUp = toNearest && (rest << 1 > divisor || (rest << 1 == divisor && (whole & 1) != 0));
        if (isUp)
        {
            whole++;
            rest = divisor - rest;
            isNegative = !isNegative;
        }

        quotient = (ulong)whole;
        return Number(ref environment, isNegative, a.IsNegative, unit, rest);
    }

    private static Unpacked Partial(ref FloatEnvironment environment, Unpacked a, Unpacked b, int apart)
    {
        int bits = (apart & 31) | 32;
        UInt128 rest = ((UInt128)a.Significand << bits) % b.Significand;
        return Number(ref environment, a.IsNegative, a.IsNegative, a.Exponent - bits - 63, rest);
    }

    private static Unpacked Number(ref FloatEnvironment environment, bool isNegative, bool isZeroNegative, int unit, UInt128 rest)
    {
        if (rest == 0)
        {
            return Unpacked.Zero(isZeroNegative);
        }

        var zeros = (int)UInt128.LeadingZeroCount(rest);
        return Rounder.Round(ref environment, FloatFormat.Extended, isNegative, unit + 127 - zeros, (ulong)(rest << zeros >> 64), 0);
    }
}
