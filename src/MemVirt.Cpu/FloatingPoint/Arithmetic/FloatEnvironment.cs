namespace MemVirt.Cpu.FloatingPoint.Arithmetic;

/// <summary>How one operation is to round and to answer exceptions, and what it meets.</summary>
internal struct FloatEnvironment
{
    private const uint DenormalsAreZeroBit = 1 << 6;
    private const uint FlushToZeroBit = 1 << 15;
    private const int MxcsrMasks = 7;
    private const int MxcsrRounding = 13;

    /// <summary>The rounding control.</summary>
    public Rounding Rounding;

    /// <summary>The exceptions that are masked.</summary>
    public FloatFlags Masks;

    /// <summary>Whether rules are those of x87: which NaN an operation returns, and results out of range with their exponent wrapped.</summary>
    public bool IsX87;

    /// <summary>Bits of the significand that results have, of those the format has.</summary>
    public int Precision;

    /// <summary>MXCSR.DAZ.</summary>
    public bool DenormalsAreZero;

    /// <summary>MXCSR.FTZ, and underflow is masked.</summary>
    public bool FlushesToZero;

    /// <summary>What has been met.</summary>
    public FloatFlags Flags;

    /// <summary>Whether the result's magnitude is above the exact one: x87's C1.</summary>
    public bool RoundedUp;

    /// <summary>That of MXCSR.</summary>
    public static FloatEnvironment OfMxcsr(uint mxcsr)
    {
        var masks = (FloatFlags)(mxcsr >> MxcsrMasks) & FloatFlags.All;
        return new FloatEnvironment
        {
            Rounding = (Rounding)(mxcsr >> MxcsrRounding & 3),
            Masks = masks,
            Precision = int.MaxValue,
            DenormalsAreZero = (mxcsr & DenormalsAreZeroBit) != 0,
            FlushesToZero = (mxcsr & FlushToZeroBit) != 0 && (masks & FloatFlags.Underflow) != 0,
        };
    }

    /// <summary>That of the x87 control word (Intel SDM Vol. 1 §8.1.5).</summary>
    /// <param name="control">The control word.</param>
    /// <param name="isPrecisionControlled">Whether the precision control applies: to addition, multiplication, division and square root.</param>
    public static FloatEnvironment OfControl(ushort control, bool isPrecisionControlled)
        => new()
        {
            Rounding = (Rounding)(control >> 10 & 3),
            Masks = (FloatFlags)control & FloatFlags.All,
            IsX87 = true,
            Precision = !isPrecisionControlled ? int.MaxValue : (control >> 8 & 3) switch { 0 => 24, 2 => 53, _ => 64 },
        };

    /// <summary>Whether an exception is masked.</summary>
    public readonly bool IsMasked(FloatFlags exception) => (Masks & exception) == exception;
}
