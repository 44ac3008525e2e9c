using System.Runtime.CompilerServices;
using Iced.Intel;

namespace MemVirt.Cpu.Vectors;

/// <summary>
/// The floating-point instructions of SSE, SSE2 and SSE3, rounding to nearest even in arithmetic, as MXCSR.RC says in conversions. NaNs
/// are those the manual chooses (Intel SDM Vol. 1 table 4-7). The flags of MXCSR are not kept.
/// </summary>
internal static unsafe class VectorFloats
{
    private const ulong DefaultNaN64 = 0xFFF8_0000_0000_0000;
    private const uint DefaultNaN32 = 0xFFC0_0000;

    /// <summary>Executes an instruction; false where it is none of these.</summary>
    public static bool TryApply(Processor processor, Mnemonic mnemonic, byte* d, byte* s, int immediate)
    {
        switch (mnemonic)
        {
            case Mnemonic.Addss: Single(d, s, 1, '+'); break;
            case Mnemonic.Addps: Single(d, s, 4, '+'); break;
            case Mnemonic.Addsd: Double(d, s, 1, '+'); break;
            case Mnemonic.Addpd: Double(d, s, 2, '+'); break;
            case Mnemonic.Subss: Single(d, s, 1, '-'); break;
            case Mnemonic.Subps: Single(d, s, 4, '-'); break;
            case Mnemonic.Subsd: Double(d, s, 1, '-'); break;
            case Mnemonic.Subpd: Double(d, s, 2, '-'); break;
            case Mnemonic.Mulss: Single(d, s, 1, '*'); break;
            case Mnemonic.Mulps: Single(d, s, 4, '*'); break;
            case Mnemonic.Mulsd: Double(d, s, 1, '*'); break;
            case Mnemonic.Mulpd: Double(d, s, 2, '*'); break;
            case Mnemonic.Divss: Single(d, s, 1, '/'); break;
            case Mnemonic.Divps: Single(d, s, 4, '/'); break;
            case Mnemonic.Divsd: Double(d, s, 1, '/'); break;
            case Mnemonic.Divpd: Double(d, s, 2, '/'); break;
            case Mnemonic.Minss: Single(d, s, 1, '<'); break;
            case Mnemonic.Minps: Single(d, s, 4, '<'); break;
            case Mnemonic.Minsd: Double(d, s, 1, '<'); break;
            case Mnemonic.Minpd: Double(d, s, 2, '<'); break;
            case Mnemonic.Maxss: Single(d, s, 1, '>'); break;
            case Mnemonic.Maxps: Single(d, s, 4, '>'); break;
            case Mnemonic.Maxsd: Double(d, s, 1, '>'); break;
            case Mnemonic.Maxpd: Double(d, s, 2, '>'); break;
            case Mnemonic.Sqrtss: Single(d, s, 1, 'r'); break;
            case Mnemonic.Sqrtps: Single(d, s, 4, 'r'); break;
            case Mnemonic.Sqrtsd: Double(d, s, 1, 'r'); break;
            case Mnemonic.Sqrtpd: Double(d, s, 2, 'r'); break;
            case Mnemonic.Rcpss: Approximate(d, s, 1, isRoot: false); break;
            case Mnemonic.Rcpps: Approximate(d, s, 4, isRoot: false); break;
            case Mnemonic.Rsqrtss: Approximate(d, s, 1, isRoot: true); break;
            case Mnemonic.Rsqrtps: Approximate(d, s, 4, isRoot: true); break;
            case Mnemonic.Cmpss: Compare32(d, s, 1, immediate); break;
            case Mnemonic.Cmpps: Compare32(d, s, 4, immediate); break;
            case Mnemonic.Cmpsd: Compare64(d, s, 1, immediate); break;
            case Mnemonic.Cmppd: Compare64(d, s, 2, immediate); break;
            case Mnemonic.Comiss or Mnemonic.Ucomiss: SetFlags(processor, *(float*)d, *(float*)s); break;
            case Mnemonic.Comisd or Mnemonic.Ucomisd: SetFlags(processor, *(double*)d, *(double*)s); break;
            case Mnemonic.Addsubps: AddSubtract32(d, s); break;
            case Mnemonic.Addsubpd: AddSubtract64(d, s); break;
            case Mnemonic.Haddps: Horizontal32(d, s, '+'); break;
            case Mnemonic.Hsubps: Horizontal32(d, s, '-'); break;
            case Mnemonic.Haddpd: Horizontal64(d, s, '+'); break;
            case Mnemonic.Hsubpd: Horizontal64(d, s, '-'); break;
            case Mnemonic.Cvtss2sd: *(ulong*)d = Widen(*(uint*)s); break;
            case Mnemonic.Cvtsd2ss: *(uint*)d = Narrow(processor, *(ulong*)s); break;
            case Mnemonic.Cvtps2pd:
                (*(ulong*)d, *(ulong*)(d + 8)) = (Widen(*(uint*)s), Widen(*(uint*)(s + 4)));
                break;
            case Mnemonic.Cvtpd2ps:
                (*(uint*)d, *(uint*)(d + 4), *(ulong*)(d + 8)) = (Narrow(processor, *(ulong*)s), Narrow(processor, *(ulong*)(s + 8)), 0);
                break;
            case Mnemonic.Cvtdq2ps: ToSingles(processor, d, s); break;
            case Mnemonic.Cvtdq2pd:
                (*(double*)d, *(double*)(d + 8)) = (*(int*)s, *(int*)(s + 4));
                break;
            case Mnemonic.Cvtps2dq: ToIntegers32(processor, d, s, truncates: false); break;
            case Mnemonic.Cvttps2dq: ToIntegers32(processor, d, s, truncates: true); break;
            case Mnemonic.Cvtpd2dq: ToIntegers64(processor, d, s, truncates: false); break;
            case Mnemonic.Cvttpd2dq: ToIntegers64(processor, d, s, truncates: true); break;
            default: return false;
        }

        return true;
    }

    /// <summary>Rounds as MXCSR.RC says, to an integer of 32 or 64 bits; what does not fit is the integer indefinite.</summary>
    public static long ToInteger(Processor processor, double value, bool is64, bool truncates)
    {
        double rounded = truncates ? Math.Truncate(value) : Round(processor, value);
        if (is64)
        {
            return rounded >= -9223372036854775808.0 && rounded < 9223372036854775808.0 ? (long)rounded : long.MinValue;
        }

        return rounded is >= int.MinValue and <= int.MaxValue ? (int)rounded : int.MinValue;
    }

    /// <summary>An integer of 64 bits as a float, rounded as MXCSR.RC says.</summary>
    public static float ToSingle(Processor processor, long value)
    {
        var nearest = (float)value;
        int mode = RoundingOf(processor);
        if (mode == 0)
        {
            return nearest;
        }

        Int128 back = (Int128)nearest;
        return Adjust(nearest, back.CompareTo(value), mode, value < 0);
    }

    /// <summary>An integer of 64 bits as a double, rounded as MXCSR.RC says.</summary>
    public static double ToDouble(Processor processor, long value)
    {
        var nearest = (double)value;
        int mode = RoundingOf(processor);
        if (mode == 0)
        {
            return nearest;
        }

        int order = ((Int128)nearest).CompareTo(value);
        bool tooHigh = order > 0 && (mode == 1 || (mode == 3 && value > 0));
        bool tooLow = order < 0 && (mode == 2 || (mode == 3 && value < 0));
        return tooHigh ? Math.BitDecrement(nearest) : tooLow ? Math.BitIncrement(nearest) : nearest;
    }

    private static float Adjust(float nearest, int order, int mode, bool isNegative)
    {
        bool tooHigh = order > 0 && (mode == 1 || (mode == 3 && !isNegative));
        bool tooLow = order < 0 && (mode == 2 || (mode == 3 && isNegative));
        return tooHigh ? MathF.BitDecrement(nearest) : tooLow ? MathF.BitIncrement(nearest) : nearest;
    }

    private static int RoundingOf(Processor processor) => (int)(processor.Mxcsr >> 13) & 3;

    private static double Round(Processor processor, double value) => RoundingOf(processor) switch
    {
        0 => Math.Round(value, MidpointRounding.ToEven),
        1 => Math.Floor(value),
        2 => Math.Ceiling(value),
        _ => Math.Truncate(value),
    };

    private static void Single(byte* d, byte* s, int lanes, char operation)
    {
        for (int i = 0; i < lanes; i++)
        {
            ((uint*)d)[i] = Single(((uint*)d)[i], ((uint*)s)[i], operation);
        }
    }

    private static void Double(byte* d, byte* s, int lanes, char operation)
    {
        for (int i = 0; i < lanes; i++)
        {
            ((ulong*)d)[i] = Double(((ulong*)d)[i], ((ulong*)s)[i], operation);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Single(uint left, uint right, char operation)
    {
        float a = BitConverter.UInt32BitsToSingle(left);
        float b = BitConverter.UInt32BitsToSingle(right);
        switch (operation)
        {
            case '<':
                return a < b ? left : right;
            case '>':
                return a > b ? left : right;
            case 'r':
                return float.IsNaN(b) ? right | 0x0040_0000 : b < 0 ? DefaultNaN32 : BitConverter.SingleToUInt32Bits(MathF.Sqrt(b));
        }

        float result = operation switch { '+' => a + b, '-' => a - b, '*' => a * b, _ => a / b };
        return !float.IsNaN(result) ? BitConverter.SingleToUInt32Bits(result)
            : float.IsNaN(a) ? left | 0x0040_0000 : float.IsNaN(b) ? right | 0x0040_0000 : DefaultNaN32;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Double(ulong left, ulong right, char operation)
    {
        const ulong Quiet = 0x0008_0000_0000_0000;
        double a = BitConverter.UInt64BitsToDouble(left);
        double b = BitConverter.UInt64BitsToDouble(right);
        switch (operation)
        {
            case '<':
                return a < b ? left : right;
            case '>':
                return a > b ? left : right;
            case 'r':
                return double.IsNaN(b) ? right | Quiet : b < 0 ? DefaultNaN64 : BitConverter.DoubleToUInt64Bits(Math.Sqrt(b));
        }

        double result = operation switch { '+' => a + b, '-' => a - b, '*' => a * b, _ => a / b };
        return !double.IsNaN(result) ? BitConverter.DoubleToUInt64Bits(result)
            : double.IsNaN(a) ? left | Quiet : double.IsNaN(b) ? right | Quiet : DefaultNaN64;
    }

    /// <summary>RCP and RSQRT: within 1.5 × 2^-12; here they are exact to a float, cut to 12 bits.</summary>
    private static void Approximate(byte* d, byte* s, int lanes, bool isRoot)
    {
        for (int i = 0; i < lanes; i++)
        {
            uint bits = ((uint*)s)[i];
            float value = BitConverter.UInt32BitsToSingle(bits);
            if ((bits & 0x7F80_0000) == 0)
            {
                // Denormals count as zeros.
                value = (bits & 0x8000_0000) != 0 ? -0f : 0f;
            }

            float result = isRoot ? (float)(1 / Math.Sqrt(value)) : 1 / value;
            ((uint*)d)[i] = float.IsNaN(value) ? bits | 0x0040_0000
                : float.IsNaN(result) ? DefaultNaN32 : BitConverter.SingleToUInt32Bits(result);
        }
    }

    private static void Compare32(byte* d, byte* s, int lanes, int predicate)
    {
        for (int i = 0; i < lanes; i++)
        {
            ((uint*)d)[i] = Holds(((float*)d)[i], ((float*)s)[i], predicate) ? uint.MaxValue : 0;
        }
    }

    private static void Compare64(byte* d, byte* s, int lanes, int predicate)
    {
        for (int i = 0; i < lanes; i++)
        {
            ((ulong*)d)[i] = Holds(((double*)d)[i], ((double*)s)[i], predicate) ? ulong.MaxValue : 0;
        }
    }

    private static bool Holds(double a, double b, int predicate)
    {
        bool holds = (predicate & 3) switch { 0 => a == b, 1 => a < b, 2 => a <= b, _ => double.IsNaN(a) || double.IsNaN(b) };
        return holds != ((predicate & 4) != 0);
    }

    private static void SetFlags(Processor processor, double a, double b)
        => processor.Flags.Set(
            double.IsNaN(a) || double.IsNaN(b) ? LazyFlags.Zero | LazyFlags.Parity | LazyFlags.Carry
            : a > b ? 0 : a < b ? LazyFlags.Carry : LazyFlags.Zero);

    private static void AddSubtract32(byte* d, byte* s)
    {
        for (int i = 0; i < 4; i++)
        {
            ((uint*)d)[i] = Single(((uint*)d)[i], ((uint*)s)[i], (i & 1) == 0 ? '-' : '+');
        }
    }

    private static void AddSubtract64(byte* d, byte* s)
    {
        ((ulong*)d)[0] = Double(((ulong*)d)[0], ((ulong*)s)[0], '-');
        ((ulong*)d)[1] = Double(((ulong*)d)[1], ((ulong*)s)[1], '+');
    }

    private static void Horizontal32(byte* d, byte* s, char operation)
    {
        uint* a = (uint*)d;
        uint* b = (uint*)s;
        (uint r0, uint r1, uint r2, uint r3) = (Single(a[0], a[1], operation), Single(a[2], a[3], operation), Single(b[0], b[1], operation), Single(b[2], b[3], operation));
        (a[0], a[1], a[2], a[3]) = (r0, r1, r2, r3);
    }

    private static void Horizontal64(byte* d, byte* s, char operation)
    {
        ulong* a = (ulong*)d;
        ulong* b = (ulong*)s;
        (ulong r0, ulong r1) = (Double(a[0], a[1], operation), Double(b[0], b[1], operation));
        (a[0], a[1]) = (r0, r1);
    }

    private static ulong Widen(uint bits)
    {
        float value = BitConverter.UInt32BitsToSingle(bits);
        if (float.IsNaN(value))
        {
            return ((ulong)(bits & 0x8000_0000) << 32) | 0x7FF8_0000_0000_0000 | ((ulong)(bits & 0x003F_FFFF) << 29);
        }

        return BitConverter.DoubleToUInt64Bits(value);
    }

    private static uint Narrow(Processor processor, ulong bits)
    {
        double value = BitConverter.UInt64BitsToDouble(bits);
        if (double.IsNaN(value))
        {
            return (uint)(bits >> 32 & 0x8000_0000) | 0x7FC0_0000 | (uint)(bits >> 29 & 0x003F_FFFF);
        }

        var nearest = (float)value;
        int mode = RoundingOf(processor);
        return BitConverter.SingleToUInt32Bits(mode == 0 ? nearest : Adjust(nearest, ((double)nearest).CompareTo(value), mode, value < 0));
    }

    private static void ToSingles(Processor processor, byte* d, byte* s)
    {
        for (int i = 0; i < 4; i++)
        {
            ((float*)d)[i] = ToSingle(processor, ((int*)s)[i]);
        }
    }

    private static void ToIntegers32(Processor processor, byte* d, byte* s, bool truncates)
    {
        for (int i = 0; i < 4; i++)
        {
            ((int*)d)[i] = (int)ToInteger(processor, ((float*)s)[i], is64: false, truncates);
        }
    }

    private static void ToIntegers64(Processor processor, byte* d, byte* s, bool truncates)
    {
        var low = (int)ToInteger(processor, ((double*)s)[0], is64: false, truncates);
        var high = (int)ToInteger(processor, ((double*)s)[1], is64: false, truncates);
        (((int*)d)[0], ((int*)d)[1], ((ulong*)d)[1]) = (low, high, 0);
    }
}
