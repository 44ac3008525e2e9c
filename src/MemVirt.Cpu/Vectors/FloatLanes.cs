using System.Numerics;
using System.Runtime.CompilerServices;
using MemVirt.Cpu.FloatingPoint.Arithmetic;

namespace MemVirt.Cpu.Vectors;

/// <summary>
/// SSE arithmetic and comparisons on lanes of one type. What is ordinary the host does; all else, and all that would leave a trace in MXCSR, is done
/// exactly in <see cref="FloatArithmetic"/>.
/// </summary>
/// <typeparam name="T"><see cref="float"/> or <see cref="double"/>.</typeparam>
internal static unsafe class FloatLanes<T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private static FloatFormat Format => typeof(T) == typeof(float) ? FloatFormat.Single : FloatFormat.Double;

    /// <summary>Applies an operation to lanes of a destination and a source.</summary>
    public static void Apply<TOperation>(Processor processor, byte* d, byte* s, int lanes)
        where TOperation : struct, IFloatOperation
    {
        for (int i = 0; i < lanes; i++)
        {
            ((T*)d)[i] = Apply<TOperation>(processor, ((T*)d)[i], ((T*)s)[i]);
        }
    }

    /// <summary>Applies an operation.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Apply<TOperation>(Processor processor, T a, T b)
        where TOperation : struct, IFloatOperation
    {
        uint mxcsr = processor.Mxcsr;
        if (SimdExceptions.IsPlain(mxcsr) && IsOrdinary(a) && IsOrdinary(b))
        {
            T result = TOperation.Apply(a, b);
            bool isZero = T.IsZero(result) && (TOperation.IsSum || T.IsZero(a) || T.IsZero(b));
            if (isZero || (IsFarFromLimits(result) && (SimdExceptions.IsInexactKnown(mxcsr) || IsExact<TOperation>(a, b, result))))
            {
                return result;
            }
        }

        return Exactly<TOperation>(processor, a, b);
    }

    /// <summary>MIN and MAX: the second operand where they are equal or one is a NaN.</summary>
    public static void Choose(Processor processor, byte* d, byte* s, int lanes, FloatOrder chosen)
    {
        for (int i = 0; i < lanes; i++)
        {
            (T a, T b) = (((T*)d)[i], ((T*)s)[i]);
            FloatEnvironment environment = FloatEnvironment.OfMxcsr(processor.Mxcsr);
            (Unpacked first, Unpacked second) = (Unpack(a, in environment), Unpack(b, in environment));
            bool isFirst = FloatComparison.Compare(ref environment, first, second, isQuiet: false) == chosen;
            processor.SimdFlags |= environment.Flags;
            Unpacked result = isFirst ? first : second;
            ((T*)d)[i] = result.Kind == FloatKind.Zero ? Pack(result) : isFirst ? a : b;
        }
    }

    /// <summary>CMPccPS and its like; the predicate is that of the instruction (Intel SDM Vol. 2A, CMPPD, table 3-1).</summary>
    public static void Compare(Processor processor, byte* d, byte* s, int lanes, int predicate)
    {
        bool isQuiet = (predicate & 3) is 0 or 3;
        for (int i = 0; i < lanes; i++)
        {
            FloatOrder order = Order(processor, ((T*)d)[i], ((T*)s)[i], isQuiet);
            bool holds = (predicate & 3) switch
            {
                0 => order == FloatOrder.Equal,
                1 => order == FloatOrder.Less,
                2 => order is FloatOrder.Less or FloatOrder.Equal,
                _ => order == FloatOrder.Unordered,
            };
            holds ^= (predicate & 4) != 0;
            new Span<byte>(d + (i * sizeof(T)), sizeof(T)).Fill(holds ? byte.MaxValue : (byte)0);
        }
    }

    /// <summary>Compares two numbers.</summary>
    public static FloatOrder Order(Processor processor, T a, T b, bool isQuiet)
    {
        if (IsOrdinary(a) && IsOrdinary(b) && !T.IsNaN(a) && !T.IsNaN(b))
        {
            return a < b ? FloatOrder.Less : a > b ? FloatOrder.Greater : FloatOrder.Equal;
        }

        FloatEnvironment environment = FloatEnvironment.OfMxcsr(processor.Mxcsr);
        FloatOrder order = FloatComparison.Compare(ref environment, Unpack(a, in environment), Unpack(b, in environment), isQuiet);
        processor.SimdFlags |= environment.Flags;
        return order;
    }

    /// <summary>A number taken apart, as MXCSR.DAZ wants it.</summary>
    public static Unpacked Unpack(T value, in FloatEnvironment environment) => Unpacked.Of(Format, BitsOf(value), environment.DenormalsAreZero);

    /// <summary>A number put together.</summary>
    public static T Pack(Unpacked value)
    {
        ulong bits = value.Pack(Format);
        return typeof(T) == typeof(float) ? Unsafe.BitCast<uint, T>((uint)bits) : Unsafe.BitCast<ulong, T>(bits);
    }

    /// <summary>Rounds to the type as MXCSR says.</summary>
    public static T Round(Processor processor, ref FloatEnvironment environment, Unpacked value)
    {
        Unpacked rounded = Rounder.Round(ref environment, Format, value);
        processor.SimdFlags |= environment.Flags;
        return Pack(rounded);
    }

    /// <summary>Whether a number is not denormal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsOrdinary(T value) => !T.IsSubnormal(value);

    /// <summary>Whether a number is so far from the ends of the range that neither it nor what it lacks to an exact result comes near them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsFarFromLimits(T value)
    {
        int exponent = (int)(BitsOf(value) >> Format.FractionBits) & Format.Special;
        return (uint)(exponent - (2 * Format.Precision)) < (uint)(Format.Special - (2 * Format.Precision) - 1);
    }

    private static bool IsExact<TOperation>(T a, T b, T result)
        where TOperation : struct, IFloatOperation
        => (T.IsZero(a) || IsFarFromLimits(a)) && (T.IsZero(b) || IsFarFromLimits(b)) && T.IsZero(TOperation.Residue(a, b, result));

    private static ulong BitsOf(T value) => typeof(T) == typeof(float) ? Unsafe.BitCast<T, uint>(value) : Unsafe.BitCast<T, ulong>(value);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static T Exactly<TOperation>(Processor processor, T a, T b)
        where TOperation : struct, IFloatOperation
    {
        FloatEnvironment environment = FloatEnvironment.OfMxcsr(processor.Mxcsr);
        Unpacked result = TOperation.Apply(ref environment, Format, Unpack(a, in environment), Unpack(b, in environment));
        processor.SimdFlags |= environment.Flags;
        return Pack(result);
    }
}
