using System.Runtime.CompilerServices;

namespace MemVirt.Cpu.Execution;

/// <summary>An operand width, as a type parameter, so that each handler is compiled for its own.</summary>
internal unsafe interface IWidth
{
    /// <summary>8, 16, 32 or 64.</summary>
    static abstract int Bits { get; }

    /// <summary>Reads a value, zero-extended.</summary>
    static abstract ulong Get(byte* place);

    /// <summary>Writes a value to memory.</summary>
    static abstract void Put(byte* place, ulong value);

    /// <summary>Writes a value to a register: one of 32 bits clears the upper half (Intel SDM Vol. 1 §3.4.1.1).</summary>
    static abstract void PutRegister(byte* register, ulong value);

    /// <summary>The value's low bits, sign-extended.</summary>
    static abstract long SignExtend(ulong value);

    /// <summary>The value's low bits.</summary>
    static abstract ulong Truncate(ulong value);
}

/// <summary>8 bits.</summary>
internal readonly unsafe struct Width8 : IWidth
{
    public static int Bits => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get(byte* place) => *place;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(byte* place, ulong value) => *place = (byte)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PutRegister(byte* register, ulong value) => *register = (byte)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long SignExtend(ulong value) => (sbyte)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Truncate(ulong value) => (byte)value;
}

/// <summary>16 bits.</summary>
internal readonly unsafe struct Width16 : IWidth
{
    public static int Bits => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get(byte* place) => *(ushort*)place;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(byte* place, ulong value) => *(ushort*)place = (ushort)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PutRegister(byte* register, ulong value) => *(ushort*)register = (ushort)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long SignExtend(ulong value) => (short)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Truncate(ulong value) => (ushort)value;
}

/// <summary>32 bits.</summary>
internal readonly unsafe struct Width32 : IWidth
{
    public static int Bits => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get(byte* place) => *(uint*)place;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(byte* place, ulong value) => *(uint*)place = (uint)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PutRegister(byte* register, ulong value) => *(ulong*)register = (uint)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long SignExtend(ulong value) => (int)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Truncate(ulong value) => (uint)value;
}

/// <summary>64 bits.</summary>
internal readonly unsafe struct Width64 : IWidth
{
    public static int Bits => 64;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get(byte* place) => *(ulong*)place;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(byte* place, ulong value) => *(ulong*)place = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PutRegister(byte* register, ulong value) => *(ulong*)register = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long SignExtend(ulong value) => (long)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Truncate(ulong value) => value;
}
