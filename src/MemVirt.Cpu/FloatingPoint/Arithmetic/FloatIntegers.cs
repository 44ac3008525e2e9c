namespace MemVirt.Cpu.FloatingPoint.Arithmetic;

/// <summary>From floating-point numbers to integers.</summary>
internal static class FloatIntegers
{
    /// <summary>An integer of 16, 32 or 64 bits; what does not fit is the integer indefinite and #I.</summary>
    public static long Convert(ref FloatEnvironment environment, Unpacked value, int bits, Rounding rounding)
    {
        long indefinite = -1L << (bits - 1);
        if (value.Kind == FloatKind.Zero)
        {
            return 0;
        }

        if (value.Kind != FloatKind.Finite || value.Exponent > 63)
        {
            environment.Flags |= FloatFlags.Invalid;
            return indefinite;
        }

        (ulong magnitude, Rounder.Rounded rounded) = Integral(value, rounding);
        ulong most = value.IsNegative ? 1UL << (bits - 1) : (1UL << (bits - 1)) - 1;
        if (magnitude > most || rounded.Carries)
        {
            environment.Flags |= FloatFlags.Invalid;
            return indefinite;
        }

        Note(ref environment, rounded);
        return value.IsNegative ? (long)(0 - magnitude) : (long)magnitude;
    }

    /// <summary>FRNDINT: the number rounded to an integer.</summary>
    public static Unpacked Round(ref FloatEnvironment environment, Unpacked value)
    {
        if (value.IsNaN)
        {
            return FloatArithmetic.NaN(ref environment, value, value);
        }

        FloatArithmetic.NoteDenormals(ref environment, value, value);
        if (value.Kind != FloatKind.Finite || value.Exponent >= 63)
        {
            return value;
        }

        (ulong magnitude, Rounder.Rounded rounded) = Integral(value, environment.Rounding);
        Note(ref environment, rounded);
        Unpacked result = Unpacked.Of((long)(magnitude & long.MaxValue));
        return magnitude > long.MaxValue ? value with { Exponent = 63, Significand = magnitude } : result with { IsNegative = value.IsNegative };
    }

    private static (ulong Magnitude, Rounder.Rounded Rounded) Integral(Unpacked value, Rounding rounding)
    {
        (ulong whole, ulong rest) = Rounder.ShiftRight(value.Significand, 0, 63 - value.Exponent);
        Rounder.Rounded rounded = Rounder.At(rounding, value.IsNegative, whole, rest, bits: 64);
        return (rounded.Significand, rounded);
    }

    private static void Note(ref FloatEnvironment environment, Rounder.Rounded rounded)
    {
        environment.RoundedUp = rounded.IsUp;
        if (rounded.IsInexact)
        {
            environment.Flags |= FloatFlags.Precision;
        }
    }
}
