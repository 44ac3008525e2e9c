using System.Numerics;
using MemVirt.Cpu.FloatingPoint.Arithmetic;
using Xunit.Abstractions;

namespace MemVirt.Cpu.Tests.FloatingPoint;

/// <summary>The soft-float unit against .NET's floats, to nearest, and against exact fractions of big integers in every rounding.</summary>
public sealed class FloatArithmeticTests(ITestOutputHelper output)
{
    private const int Cases = 200_000;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Doubles_are_those_of_the_host(int seed)
    {
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (int i = 0; i < Cases; i++)
        {
            (double a, double b) = (RandomDouble(random), RandomDouble(random));
            Equal(a + b, a, b, FloatArithmetic.Add);
            Equal(a - b, a, b, FloatArithmetic.Subtract);
            Equal(a * b, a, b, FloatArithmetic.Multiply);
            Equal(a / b, a, b, FloatArithmetic.Divide);
            Equal(Math.Sqrt(a), a, a, (ref FloatEnvironment e, FloatFormat f, Unpacked x, Unpacked _) => FloatArithmetic.SquareRoot(ref e, f, x));
        }
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public void Every_rounding_is_that_of_the_exact_result(int seed)
    {
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (int i = 0; i < Cases; i++)
        {
            Unpacked a = RandomExtended(random);
            Unpacked b = RandomExtended(random);
            var rounding = (Rounding)random.Next(4);
            foreach (FloatFormat format in (ReadOnlySpan<FloatFormat>)[FloatFormat.Single, FloatFormat.Double, FloatFormat.Extended])
            {
                (BigInteger numerator, BigInteger denominator, int power) = Product(a, b);
                Check(rounding, format, numerator, denominator, power, FloatArithmetic.Multiply, a, b);
                (numerator, denominator, power) = Quotient(a, b);
                Check(rounding, format, numerator, denominator, power, FloatArithmetic.Divide, a, b);
                if (Math.Abs(a.Exponent - b.Exponent) < 2000)
                {
                    (numerator, denominator, power) = Sum(a, b);
                    Check(rounding, format, numerator, denominator, power, FloatArithmetic.Add, a, b);
                }
            }
        }
    }

    private delegate Unpacked Operation(ref FloatEnvironment environment, FloatFormat format, Unpacked a, Unpacked b);

    private static void Equal(double expected, double a, double b, Operation operation)
    {
        FloatEnvironment environment = FloatEnvironment.OfMxcsr(0x1F80);
        Unpacked result = operation(
            ref environment, FloatFormat.Double, Unpacked.Of(FloatFormat.Double, BitConverter.DoubleToUInt64Bits(a)),
            Unpacked.Of(FloatFormat.Double, BitConverter.DoubleToUInt64Bits(b)));
        double actual = BitConverter.UInt64BitsToDouble(result.Pack(FloatFormat.Double));
        Assert.True(expected.Equals(actual) && double.IsNegative(expected) == double.IsNegative(actual), $"{a:R}, {b:R}: {actual:R}, expected {expected:R}");
    }

    /// <summary>Compares an operation with numerator ÷ denominator × 2^power, rounded here with nothing but big integers.</summary>
    private static void Check(
        Rounding rounding, FloatFormat format, BigInteger numerator, BigInteger denominator, int power, Operation operation, Unpacked a, Unpacked b)
    {
        var environment = new FloatEnvironment { Rounding = rounding, Masks = FloatFlags.All, Precision = int.MaxValue };
        Unpacked result = operation(ref environment, format, a, b);
        if (numerator.IsZero)
        {
            Assert.Equal(FloatKind.Zero, result.Kind);
            return;
        }

        bool isNegative = numerator.Sign < 0;
        numerator = BigInteger.Abs(numerator);

        // The exponent e of the leading bit: 2^e <= n/d*2^power < 2^(e+1).
        int exponent = (int)(numerator.GetBitLength() - denominator.GetBitLength()) + power;
        if (Compare(numerator, denominator, power, BigInteger.One, exponent) < 0)
        {
            exponent--;
        }

        int unit = Math.Max(exponent, format.Least) - (format.Precision - 1);
        (BigInteger scaled, BigInteger divisor) = power >= unit ? (numerator << (power - unit), denominator) : (numerator, denominator << (unit - power));
        BigInteger whole = BigInteger.DivRem(scaled, divisor, out BigInteger rest);
        int half = (rest * 2).CompareTo(divisor);
        bool isUp = !rest.IsZero && rounding switch
        {
            Rounding.Nearest => half > 0 || (half == 0 && !whole.IsEven),
            Rounding.Up => !isNegative,
            Rounding.Down => isNegative,
            _ => false,
        };
        whole += isUp ? 1 : 0;
        string text = $"{a} {b} {rounding} {format}";
        if (whole.GetBitLength() + unit - 1 > format.Bias)
        {
            Assert.True((environment.Flags & FloatFlags.Overflow) != 0, text);
            return;
        }

        Assert.True(((environment.Flags & FloatFlags.Precision) != 0) == !rest.IsZero, text);
        BigInteger got = result.Kind == FloatKind.Zero ? BigInteger.Zero : (BigInteger)result.Significand >> (64 - format.Precision);
        Assert.True(whole == got << (result.Kind == FloatKind.Zero ? 0 : Math.Max(0, result.Exponent - 63 + (64 - format.Precision) - unit)), text);
        Assert.Equal(isNegative, result.IsNegative);
    }

    private static int Compare(BigInteger numerator, BigInteger denominator, int power, BigInteger value, int exponent)
        => power >= exponent
            ? (numerator << (power - exponent)).CompareTo(denominator * value) : numerator.CompareTo((denominator * value) << (exponent - power));

    private static (BigInteger Numerator, BigInteger Denominator, int Power) Product(Unpacked a, Unpacked b)
        => (Signed(a) * Signed(b), BigInteger.One, a.Exponent + b.Exponent - 126);

    private static (BigInteger Numerator, BigInteger Denominator, int Power) Quotient(Unpacked a, Unpacked b)
        => (Signed(a) * (b.IsNegative ? -1 : 1), b.Significand, a.Exponent - b.Exponent);

    private static (BigInteger Numerator, BigInteger Denominator, int Power) Sum(Unpacked a, Unpacked b)
    {
        int least = Math.Min(a.Exponent, b.Exponent);
        return ((Signed(a) << (a.Exponent - least)) + (Signed(b) << (b.Exponent - least)), BigInteger.One, least - 63);
    }

    private static BigInteger Signed(Unpacked value) => value.IsNegative ? -(BigInteger)value.Significand : value.Significand;

    private static double RandomDouble(Random random) => random.Next(8) switch
    {
        0 => random.Next(-4, 5),
        1 => double.Epsilon * random.NextInt64(1L << 52),
        2 => double.MaxValue * random.NextDouble(),
        3 => (random.Next(2) == 0 ? 1 : -1) * double.PositiveInfinity,
        4 => -0.0,
        5 => BitConverter.Int64BitsToDouble(random.NextInt64(long.MinValue, long.MaxValue)),
        _ => (random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-60, 60)),
    };

    private static Unpacked RandomExtended(Random random)
    {
        ulong significand = random.Next(3) switch
        {
            0 => 0, 1 => ulong.MaxValue << random.Next(64), _ => (ulong)random.NextInt64(long.MinValue, long.MaxValue),
        };
        int exponent = random.Next(4) switch { 0 => random.Next(-520, -500), 1 => random.Next(-16_300, 16_300), 2 => random.Next(-75, -55), _ => random.Next(-40, 40) };
        return new Unpacked(FloatKind.Finite, random.Next(2) == 0, exponent, significand | Unpacked.IntegerBit);
    }
}
