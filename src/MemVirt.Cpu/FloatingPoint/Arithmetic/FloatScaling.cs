namespace MemVirt.Cpu.FloatingPoint.Arithmetic;

/// <summary>FSCALE and FXTRACT.</summary>
internal static class FloatScaling
{
    // Beyond this any exponent overflows or underflows.
    private const int Far = 1 << 17;

    /// <summary>a × 2^b, b cut to an integer.</summary>
    public static Unpacked Scale(ref FloatEnvironment environment, Unpacked a, Unpacked b)
    {
        if (a.IsNaN || b.IsNaN)
        {
            return FloatArithmetic.NaN(ref environment, a, b);
        }

        bool isUp = b.Kind == FloatKind.Infinity && !b.IsNegative;
        bool isDown = b.Kind == FloatKind.Infinity && b.IsNegative;
        if ((isUp && a.Kind == FloatKind.Zero) || (isDown && a.Kind == FloatKind.Infinity))
        {
            return FloatArithmetic.Invalid(ref environment);
        }

        FloatArithmetic.NoteDenormals(ref environment, a, b);
        if (isUp || isDown)
        {
            return isUp ? Unpacked.Infinity(a.IsNegative) : Unpacked.Zero(a.IsNegative);
        }

        if (a.Kind != FloatKind.Finite)
        {
            return a;
        }

        int magnitude = b.Kind == FloatKind.Zero || b.Exponent < 0 ? 0 : b.Exponent > 17 ? Far : (int)Math.Min(b.Significand >> (63 - b.Exponent), Far);
        return Rounder.Round(ref environment, FloatFormat.Extended, a.IsNegative, a.Exponent + (b.IsNegative ? -magnitude : magnitude), a.Significand);
    }

    /// <summary>The exponent, and the significand with an exponent of 0.</summary>
    public static (Unpacked Exponent, Unpacked Significand) Extract(ref FloatEnvironment environment, Unpacked a)
    {
        if (a.IsNaN)
        {
            Unpacked nan = FloatArithmetic.NaN(ref environment, a, a);
            return (nan, nan);
        }

        FloatArithmetic.NoteDenormals(ref environment, a, a);
        switch (a.Kind)
        {
            case FloatKind.Zero:
                environment.Flags |= FloatFlags.ZeroDivide;
                return (Unpacked.Infinity(isNegative: true), a);
            case FloatKind.Infinity:
                return (Unpacked.Infinity(isNegative: false), a);
            default:
                return (Unpacked.Of(a.Exponent), a with { Exponent = 0 });
        }
    }
}
