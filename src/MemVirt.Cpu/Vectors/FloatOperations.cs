using System.Numerics;
using MemVirt.Cpu.FloatingPoint.Arithmetic;

namespace MemVirt.Cpu.Vectors;

/// <summary>An operation on floats, as the host does it and as the manual describes it.</summary>
internal interface IFloatOperation
{
    /// <summary>Whether it is a sum, of which 0 is always exact.</summary>
    static abstract bool IsSum { get; }

    /// <summary>Of the host: to nearest.</summary>
    static abstract T Apply<T>(T a, T b)
        where T : IBinaryFloatingPointIeee754<T>;

    /// <summary>What the host's result lacks to the exact one, or 0: it is 0 only where the result is exact.</summary>
    static abstract T Residue<T>(T a, T b, T result)
        where T : IBinaryFloatingPointIeee754<T>;

    /// <summary>Exactly.</summary>
    static abstract Unpacked Apply(ref FloatEnvironment environment, FloatFormat format, Unpacked a, Unpacked b);
}

/// <summary>a + b.</summary>
internal readonly struct AddOperation : IFloatOperation
{
    public static bool IsSum => true;

    public static T Apply<T>(T a, T b)
        where T : IBinaryFloatingPointIeee754<T> => a + b;

    // Knuth's two-sum.
    public static T Residue<T>(T a, T b, T result)
        where T : IBinaryFloatingPointIeee754<T>
    {
        T part = result - a;
        return (a - (result - part)) + (b - part);
    }

    public static Unpacked Apply(ref FloatEnvironment environment, FloatFormat format, Unpacked a, Unpacked b)
        => FloatArithmetic.Add(ref environment, format, a, b);
}

/// <summary>a − b.</summary>
internal readonly struct SubtractOperation : IFloatOperation
{
    public static bool IsSum => true;

    public static T Apply<T>(T a, T b)
        where T : IBinaryFloatingPointIeee754<T> => a - b;

    public static T Residue<T>(T a, T b, T result)
        where T : IBinaryFloatingPointIeee754<T> => AddOperation.Residue(a, -b, result);

    public static Unpacked Apply(ref FloatEnvironment environment, FloatFormat format, Unpacked a, Unpacked b)
        => FloatArithmetic.Subtract(ref environment, format, a, b);
}

/// <summary>a × b.</summary>
internal readonly struct MultiplyOperation : IFloatOperation
{
    public static bool IsSum => false;

    public static T Apply<T>(T a, T b)
        where T : IBinaryFloatingPointIeee754<T> => a * b;

    public static T Residue<T>(T a, T b, T result)
        where T : IBinaryFloatingPointIeee754<T> => T.FusedMultiplyAdd(a, b, -result);

    public static Unpacked Apply(ref FloatEnvironment environment, FloatFormat format, Unpacked a, Unpacked b)
        => FloatArithmetic.Multiply(ref environment, format, a, b);
}

/// <summary>a ÷ b.</summary>
internal readonly struct DivideOperation : IFloatOperation
{
    public static bool IsSum => false;

    public static T Apply<T>(T a, T b)
        where T : IBinaryFloatingPointIeee754<T> => a / b;

    public static T Residue<T>(T a, T b, T result)
        where T : IBinaryFloatingPointIeee754<T> => T.FusedMultiplyAdd(result, b, -a);

    public static Unpacked Apply(ref FloatEnvironment environment, FloatFormat format, Unpacked a, Unpacked b)
        => FloatArithmetic.Divide(ref environment, format, a, b);
}

/// <summary>√b.</summary>
internal readonly struct RootOperation : IFloatOperation
{
    public static bool IsSum => false;

    public static T Apply<T>(T a, T b)
        where T : IBinaryFloatingPointIeee754<T> => T.Sqrt(b);

    public static T Residue<T>(T a, T b, T result)
        where T : IBinaryFloatingPointIeee754<T> => T.FusedMultiplyAdd(result, result, -b);

    public static Unpacked Apply(ref FloatEnvironment environment, FloatFormat format, Unpacked a, Unpacked b)
        => FloatArithmetic.SquareRoot(ref environment, format, b);
}
