using MemVirt.Cpu.FloatingPoint.Arithmetic;

namespace MemVirt.Cpu.Vectors;

/// <summary>SSE conversions between floats and integers of their sizes, rounded as MXCSR says, with its exceptions.</summary>
internal static unsafe class FloatConversions
{
    /// <summary>A double as an integer of 32 or 64 bits; what does not fit is the integer indefinite.</summary>
    public static long ToInteger(Processor processor, double value, bool is64, bool truncates)
    {
        const double limit64 = 9223372036854775808.0;
        uint mxcsr = processor.Mxcsr;
        if (SimdExceptions.IsPlain(mxcsr))
        {
            double rounded = truncates ? Math.Truncate(value) : Math.Round(value, MidpointRounding.ToEven);
            bool fits = is64 ? rounded >= -limit64 && rounded < limit64 : rounded is >= int.MinValue and <= int.MaxValue;
            if (fits && (SimdExceptions.IsInexactKnown(mxcsr) || rounded == value))
            {
                return (long)rounded;
            }
        }

        return ToInteger(processor, FloatLanes<double>.Unpack(value, FloatEnvironment.OfMxcsr(mxcsr)), is64, truncates);
    }

    /// <summary>A float as an integer of 32 or 64 bits.</summary>
    public static long ToInteger(Processor processor, float value, bool is64, bool truncates)
        => FloatLanes<float>.IsOrdinary(value) && !float.IsNaN(value)
            ? ToInteger(processor, (double)value, is64, truncates)
            : ToInteger(processor, FloatLanes<float>.Unpack(value, FloatEnvironment.OfMxcsr(processor.Mxcsr)), is64, truncates);

    /// <summary>An integer as a float.</summary>
    public static float ToSingle(Processor processor, long value)
    {
        var nearest = (float)value;
        return IsSilent(processor.Mxcsr, (Int128)nearest == value) ? nearest : Round<float>(processor, value);
    }

    /// <summary>An integer as a double.</summary>
    public static double ToDouble(Processor processor, long value)
    {
        var nearest = (double)value;
        return IsSilent(processor.Mxcsr, (Int128)nearest == value) ? nearest : Round<double>(processor, value);
    }

    /// <summary>CVTSS2SD, which is exact.</summary>
    public static double Widen(Processor processor, float value)
    {
        if (FloatLanes<float>.IsOrdinary(value) && !float.IsNaN(value))
        {
            return value;
        }

        FloatEnvironment environment = FloatEnvironment.OfMxcsr(processor.Mxcsr);
        Unpacked number = Quieted(ref environment, FloatLanes<float>.Unpack(value, in environment));
        processor.SimdFlags |= environment.Flags;
        return FloatLanes<double>.Pack(number);
    }

    /// <summary>CVTSD2SS.</summary>
    public static float Narrow(Processor processor, double value)
    {
        var nearest = (float)value;
        bool isFar = FloatLanes<float>.IsFarFromLimits(nearest);
        if (isFar && IsSilent(processor.Mxcsr, nearest == value))
        {
            return nearest;
        }

        FloatEnvironment environment = FloatEnvironment.OfMxcsr(processor.Mxcsr);
        Unpacked number = Quieted(ref environment, FloatLanes<double>.Unpack(value, in environment));
        return FloatLanes<float>.Round(processor, ref environment, number);
    }

    /// <summary>CVTDQ2PS.</summary>
    public static void ToSingles(Processor processor, byte* d, byte* s)
    {
        for (int i = 0; i < 4; i++)
        {
            ((float*)d)[i] = ToSingle(processor, ((int*)s)[i]);
        }
    }

    /// <summary>CVTPS2DQ, CVTTPS2DQ.</summary>
    public static void SinglesToIntegers(Processor processor, byte* d, byte* s, bool truncates)
    {
        for (int i = 0; i < 4; i++)
        {
            ((int*)d)[i] = (int)ToInteger(processor, ((float*)s)[i], is64: false, truncates);
        }
    }

    /// <summary>CVTPD2DQ, CVTTPD2DQ.</summary>
    public static void DoublesToIntegers(Processor processor, byte* d, byte* s, bool truncates)
    {
        var low = (int)ToInteger(processor, ((double*)s)[0], is64: false, truncates);
        var high = (int)ToInteger(processor, ((double*)s)[1], is64: false, truncates);
        (((int*)d)[0], ((int*)d)[1], ((ulong*)d)[1]) = (low, high, 0);
    }

    private static bool IsSilent(uint mxcsr, bool isExact) => isExact || (SimdExceptions.IsPlain(mxcsr) && SimdExceptions.IsInexactKnown(mxcsr));

    private static long ToInteger(Processor processor, Unpacked value, bool is64, bool truncates)
    {
        FloatEnvironment environment = FloatEnvironment.OfMxcsr(processor.Mxcsr);
        long result = FloatIntegers.Convert(ref environment, value, is64 ? 64 : 32, truncates ? Rounding.Truncate : environment.Rounding);
        processor.SimdFlags |= environment.Flags;
        return result;
    }

    private static T Round<T>(Processor processor, long value)
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        FloatEnvironment environment = FloatEnvironment.OfMxcsr(processor.Mxcsr);
        return FloatLanes<T>.Round(processor, ref environment, Unpacked.Of(value));
    }

    private static Unpacked Quieted(ref FloatEnvironment environment, Unpacked value)
    {
        FloatArithmetic.NoteDenormals(ref environment, value, value);
        return value.IsNaN ? FloatArithmetic.NaN(ref environment, value, value) : value;
    }
}
