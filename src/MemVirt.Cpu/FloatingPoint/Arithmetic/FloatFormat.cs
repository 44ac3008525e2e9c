namespace MemVirt.Cpu.FloatingPoint.Arithmetic;

/// <summary>A binary floating-point format (Intel SDM Vol. 1 §4.2.2 and table 4-3).</summary>
/// <param name="Precision">Bits of the significand, the integer bit among them.</param>
/// <param name="ExponentBits">Bits of the exponent.</param>
internal readonly record struct FloatFormat(int Precision, int ExponentBits)
{
    /// <summary>Single precision, 32 bits.</summary>
    public static FloatFormat Single => new(24, 8);

    /// <summary>Double precision, 64 bits.</summary>
    public static FloatFormat Double => new(53, 11);

    /// <summary>Double extended precision, 80 bits, with an integer bit that is kept.</summary>
    public static FloatFormat Extended => new(64, 15);

    /// <summary>What is added to an exponent; also the largest of a finite number.</summary>
    public int Bias => (1 << (ExponentBits - 1)) - 1;

    /// <summary>The exponent of the smallest normal number, which denormal ones share.</summary>
    public int Least => 1 - Bias;

    /// <summary>The exponent field of infinities and NaNs.</summary>
    public int Special => (1 << ExponentBits) - 1;

    /// <summary>Bits of the fraction that are stored.</summary>
    public int FractionBits => Precision - 1;
}
