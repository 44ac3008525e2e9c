namespace MemVirt.Cpu.FloatingPoint.Arithmetic;

/// <summary>What a comparison finds.</summary>
internal enum FloatOrder
{
    /// <summary>The first is smaller.</summary>
    Less,

    /// <summary>Equal; zeros are whatever their signs.</summary>
    Equal,

    /// <summary>The first is larger.</summary>
    Greater,

    /// <summary>One of them is a NaN.</summary>
    Unordered,
}

/// <summary>Comparisons (Intel SDM Vol. 1 §8.3.6).</summary>
internal static class FloatComparison
{
    /// <summary>Compares.</summary>
    /// <param name="environment">What is met.</param>
    /// <param name="a">The first.</param>
    /// <param name="b">The second.</param>
    /// <param name="isQuiet">Whether a quiet NaN is not invalid.</param>
    public static FloatOrder Compare(ref FloatEnvironment environment, Unpacked a, Unpacked b, bool isQuiet)
    {
        if (a.IsNaN || b.IsNaN)
        {
            if (!isQuiet || a.Kind > FloatKind.QuietNaN || b.Kind > FloatKind.QuietNaN)
            {
                environment.Flags |= FloatFlags.Invalid;
            }

            return FloatOrder.Unordered;
        }

        FloatArithmetic.NoteDenormals(ref environment, a, b);
        if (a.Kind == FloatKind.Zero && b.Kind == FloatKind.Zero)
        {
            return FloatOrder.Equal;
        }

        if (a.Kind == FloatKind.Zero || b.Kind == FloatKind.Zero || a.IsNegative != b.IsNegative)
        {
            bool isBelow = a.Kind == FloatKind.Zero ? !b.IsNegative : a.IsNegative;
            return isBelow ? FloatOrder.Less : FloatOrder.Greater;
        }

        int order = Magnitude(a, b);
        return order == 0 ? FloatOrder.Equal : order < 0 != a.IsNegative ? FloatOrder.Less : FloatOrder.Greater;
    }

    private static int Magnitude(Unpacked a, Unpacked b)
    {
        bool isSameKind = a.Kind == b.Kind;
        return !isSameKind ? (a.Kind == FloatKind.Infinity ? 1 : -1)
            : a.Kind == FloatKind.Infinity ? 0
            : a.Exponent != b.Exponent ? a.Exponent.CompareTo(b.Exponent) : a.Significand.CompareTo(b.Significand);
    }
}
