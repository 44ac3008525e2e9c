namespace MemVirt.Cpu.FloatingPoint.Arithmetic;

/// <summary>Fits exact results into formats (Intel SDM Vol. 1 §4.8.4 and §4.9.1).</summary>
internal static class Rounder
{
    /// <summary>What x87 adds to or takes from the exponent of a result out of range, where that is not masked.</summary>
    private const int Wrap = 24576;

    private const ulong Half = 1UL << 63;

    /// <summary>Rounds a number that is not 0.</summary>
    /// <param name="environment">How, and what is met.</param>
    /// <param name="format">The format.</param>
    /// <param name="isNegative">The sign.</param>
    /// <param name="exponent">The exponent of the significand's bit 63.</param>
    /// <param name="significand">The significand; bit 63 is set.</param>
    /// <param name="rest">What follows it, as a fraction of 2^64; bit 0 stands for all that is below.</param>
    public static Unpacked Round(
        ref FloatEnvironment environment, FloatFormat format, bool isNegative, int exponent, ulong significand, ulong rest = 0)
    {
        int precision = Math.Min(format.Precision, environment.Precision);
        Rounded unbounded = At(environment.Rounding, isNegative, significand, rest, precision);
        int reached = exponent + (unbounded.Carries ? 1 : 0);
        bool isTiny = reached < format.Least;
        if (exponent < format.Least && (!isTiny || environment.IsMasked(FloatFlags.Underflow)))
        {
            return Denormal(ref environment, format, isNegative, exponent, significand, rest, isTiny);
        }

        if (isTiny)
        {
            environment.Flags |= FloatFlags.Underflow;
            reached += Wrap;
        }
        else if (reached > format.Bias)
        {
            environment.Flags |= FloatFlags.Overflow;
            if (environment.IsMasked(FloatFlags.Overflow))
            {
                return TooLarge(ref environment, format, isNegative, precision);
            }

            reached -= Wrap;
        }

        if (environment.IsX87 && (reached > format.Bias || reached < format.Least))
        {
            // FSCALE alone comes so far.
            environment.Flags |= FloatFlags.Precision;
            environment.RoundedUp = !isTiny;
            return isTiny ? Unpacked.Zero(isNegative) : Unpacked.Infinity(isNegative);
        }

        Note(ref environment, in unbounded);
        return new Unpacked(FloatKind.Finite, isNegative, reached, unbounded.Significand);
    }

    /// <summary>Rounds a number, which may be 0, infinite or a NaN that is quiet.</summary>
    public static Unpacked Round(ref FloatEnvironment environment, FloatFormat format, Unpacked value)
        => value.Kind == FloatKind.Finite
            ? Round(ref environment, format, value.IsNegative, value.Exponent, value.Significand) : value;

    /// <summary>Rounds the significand to some bits; one that comes to 2 is 1 with a carry.</summary>
    public static Rounded At(Rounding rounding, bool isNegative, ulong significand, ulong rest, int bits)
    {
        ulong below = bits == 64 ? 0 : ulong.MaxValue >> bits;
        ulong lost = bits == 64 ? rest : ((significand & below) << bits) | (rest != 0 ? 1UL : 0);
        ulong kept = significand & ~below;
        bool isUp = lost != 0 && rounding switch
        {
            Rounding.Nearest => lost > Half || (lost == Half && (kept & (below + 1)) != 0),
            Rounding.Up => !isNegative,
            Rounding.Down => isNegative,
            _ => false,
        };
        ulong result = isUp ? kept + below + 1 : kept;
        bool carries = isUp && result == 0;
        return new Rounded(carries ? Unpacked.IntegerBit : result, carries, isUp, lost != 0);
    }

    /// <summary>Shifts a significand and what follows it to the right; what falls off stays as bit 0.</summary>
    public static (ulong Significand, ulong Below) ShiftRight(ulong significand, ulong rest, int by)
    {
        if (by == 0)
        {
            return (significand, rest);
        }

        if (by < 64)
        {
            ulong off = rest << (64 - by);
            return (significand >> by, (significand << (64 - by)) | (rest >> by) | (off != 0 ? 1UL : 0));
        }

        bool isMore = rest != 0 || (by < 128 && by > 64 && significand << (128 - by) != 0) || by >= 128;
        ulong moved = by < 128 ? significand >> (by - 64) : 0;
        return (0, moved | (isMore ? 1UL : 0));
    }

    /// <summary>A result below the normal numbers, with underflow masked, or one that rounding takes up to the least of them.</summary>
    private static Unpacked Denormal(
        ref FloatEnvironment environment, FloatFormat format, bool isNegative, int exponent, ulong significand, ulong rest, bool isTiny)
    {
        if (isTiny && environment.FlushesToZero)
        {
            environment.Flags |= FloatFlags.Underflow | FloatFlags.Precision;
            return Unpacked.Zero(isNegative);
        }

        (ulong shifted, ulong lost) = ShiftRight(significand, rest, format.Least - exponent);
        int precision = Math.Min(format.Precision, environment.Precision);
        Rounded rounded = At(environment.Rounding, isNegative, shifted, lost, precision);
        if (rounded.IsInexact && isTiny)
        {
            environment.Flags |= FloatFlags.Underflow;
        }

        Note(ref environment, in rounded);
        return rounded.Significand == 0 ? Unpacked.Zero(isNegative) : new Unpacked(FloatKind.Finite, isNegative, format.Least, rounded.Significand);
    }

    private static Unpacked TooLarge(ref FloatEnvironment environment, FloatFormat format, bool isNegative, int precision)
    {
        environment.Flags |= FloatFlags.Precision;
        environment.RoundedUp = environment.Rounding == Rounding.Nearest || environment.Rounding == (isNegative ? Rounding.Down : Rounding.Up);
        return environment.RoundedUp
            ? Unpacked.Infinity(isNegative) : new Unpacked(FloatKind.Finite, isNegative, format.Bias, ~0UL << (64 - precision));
    }

    private static void Note(ref FloatEnvironment environment, in Rounded rounded)
    {
        environment.RoundedUp = rounded.IsUp;
        if (rounded.IsInexact)
        {
            environment.Flags |= FloatFlags.Precision;
        }
    }

    /// <summary>A significand that has been rounded.</summary>
    /// <param name="Significand">It.</param>
    /// <param name="Carries">Whether the exponent is one more.</param>
    /// <param name="IsUp">Whether it is larger than it was.</param>
    /// <param name="IsInexact">Whether it is other than it was.</param>
    internal readonly record struct Rounded(ulong Significand, bool Carries, bool IsUp, bool IsInexact);
}
