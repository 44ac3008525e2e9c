using System.Runtime.CompilerServices;

namespace MemVirt.Cpu.Execution;

/// <summary>A two-operand arithmetic or logical instruction: its result and flags.</summary>
internal interface IAlu
{
    /// <summary>Whether the result is written.</summary>
    static abstract bool Writes { get; }

    /// <summary>Computes, in 64 bits of which the width's are meant.</summary>
    static abstract ulong Apply<TWidth>(ref LazyFlags flags, ulong left, ulong right)
        where TWidth : struct, IWidth;
}

/// <summary>ADD.</summary>
internal readonly struct Add : IAlu
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TWidth>(ref LazyFlags flags, ulong left, ulong right)
        where TWidth : struct, IWidth
    {
        ulong result = left + right;
        flags.SetArithmetic<TWidth>(result, (left & right) | ((left | right) & ~result));
        return result;
    }
}

/// <summary>ADC.</summary>
internal readonly struct AddWithCarry : IAlu
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TWidth>(ref LazyFlags flags, ulong left, ulong right)
        where TWidth : struct, IWidth
    {
        ulong result = left + right + (flags.C ? 1UL : 0);
        flags.SetArithmetic<TWidth>(result, (left & right) | ((left | right) & ~result));
        return result;
    }
}

/// <summary>SUB.</summary>
internal readonly struct Subtract : IAlu
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TWidth>(ref LazyFlags flags, ulong left, ulong right)
        where TWidth : struct, IWidth
    {
        ulong result = left - right;
        flags.SetArithmetic<TWidth>(result, (~left & right) | (~(left ^ right) & result));
        return result;
    }
}

/// <summary>SBB.</summary>
internal readonly struct SubtractWithBorrow : IAlu
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TWidth>(ref LazyFlags flags, ulong left, ulong right)
        where TWidth : struct, IWidth
    {
        ulong result = left - right - (flags.C ? 1UL : 0);
        flags.SetArithmetic<TWidth>(result, (~left & right) | (~(left ^ right) & result));
        return result;
    }
}

/// <summary>CMP.</summary>
internal readonly struct Compare : IAlu
{
    public static bool Writes => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TWidth>(ref LazyFlags flags, ulong left, ulong right)
        where TWidth : struct, IWidth
        => Subtract.Apply<TWidth>(ref flags, left, right);
}

/// <summary>AND.</summary>
internal readonly struct And : IAlu
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TWidth>(ref LazyFlags flags, ulong left, ulong right)
        where TWidth : struct, IWidth
    {
        flags.SetLogic<TWidth>(left & right);
        return left & right;
    }
}

/// <summary>TEST.</summary>
internal readonly struct Test : IAlu
{
    public static bool Writes => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TWidth>(ref LazyFlags flags, ulong left, ulong right)
        where TWidth : struct, IWidth
        => And.Apply<TWidth>(ref flags, left, right);
}

/// <summary>OR.</summary>
internal readonly struct Or : IAlu
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TWidth>(ref LazyFlags flags, ulong left, ulong right)
        where TWidth : struct, IWidth
    {
        flags.SetLogic<TWidth>(left | right);
        return left | right;
    }
}

/// <summary>XOR.</summary>
internal readonly struct ExclusiveOr : IAlu
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TWidth>(ref LazyFlags flags, ulong left, ulong right)
        where TWidth : struct, IWidth
    {
        flags.SetLogic<TWidth>(left ^ right);
        return left ^ right;
    }
}
