using System.Runtime.CompilerServices;
using MemVirt.Cpu.Decoding;

namespace MemVirt.Cpu.Execution;

/// <summary>Where a shift's count comes from.</summary>
internal unsafe interface ICount
{
    static abstract int Of(Processor processor, Op* op);
}

/// <summary>An immediate.</summary>
internal readonly unsafe struct ImmediateCount : ICount
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Of(Processor processor, Op* op) => (int)op->Immediate;
}

/// <summary>CL.</summary>
internal readonly unsafe struct ClCount : ICount
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Of(Processor processor, Op* op) => processor.R[RegisterFile.Rcx];
}

/// <summary>SHL (Intel SDM Vol. 2 "SAL/SAR/SHL/SHR"). OF is defined for a count of 1 alone; here it is as for the last step.</summary>
internal readonly unsafe struct ShiftLeft<TCount> : IUnary
    where TCount : struct, ICount
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TWidth>(Processor processor, Op* op, ulong value)
        where TWidth : struct, IWidth
    {
        int count = TCount.Of(processor, op) & (TWidth.Bits == 64 ? 63 : 31);
        if (count == 0)
        {
            return value;
        }

        ulong result = value << count;
        bool carry = count <= TWidth.Bits && (value >> (TWidth.Bits - count) & 1) != 0;
        bool top = TWidth.SignExtend(result) < 0;
        processor.Flags.SetShift<TWidth>(result, carry, carry != top);
        return result;
    }
}

/// <summary>SHR.</summary>
internal readonly unsafe struct ShiftRight<TCount> : IUnary
    where TCount : struct, ICount
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TWidth>(Processor processor, Op* op, ulong value)
        where TWidth : struct, IWidth
    {
        int count = TCount.Of(processor, op) & (TWidth.Bits == 64 ? 63 : 31);
        if (count == 0)
        {
            return value;
        }

        ulong result = value >> count;
        bool carry = (value >> (count - 1) & 1) != 0;
        processor.Flags.SetShift<TWidth>(result, carry, TWidth.SignExtend(value) < 0);
        return result;
    }
}

/// <summary>SAR.</summary>
internal readonly unsafe struct ShiftRightArithmetic<TCount> : IUnary
    where TCount : struct, ICount
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TWidth>(Processor processor, Op* op, ulong value)
        where TWidth : struct, IWidth
    {
        int count = TCount.Of(processor, op) & (TWidth.Bits == 64 ? 63 : 31);
        if (count == 0)
        {
            return value;
        }

        long signed = TWidth.SignExtend(value);
        var result = (ulong)(signed >> count);
        processor.Flags.SetShift<TWidth>(result, (signed >> (count - 1) & 1) != 0, overflow: false);
        return result;
    }
}

/// <summary>ROL.</summary>
internal readonly unsafe struct RotateLeft<TCount> : IUnary
    where TCount : struct, ICount
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TWidth>(Processor processor, Op* op, ulong value)
        where TWidth : struct, IWidth
    {
        int masked = TCount.Of(processor, op) & (TWidth.Bits == 64 ? 63 : 31);
        if (masked == 0)
        {
            return value;
        }

        int count = masked & (TWidth.Bits - 1);
        ulong result = count == 0 ? value : TWidth.Truncate((value << count) | (value >> (TWidth.Bits - count)));
        bool carry = (result & 1) != 0;
        processor.Flags.SetCarryOverflow(carry, carry != (TWidth.SignExtend(result) < 0));
        return result;
    }
}

/// <summary>ROR.</summary>
internal readonly unsafe struct RotateRight<TCount> : IUnary
    where TCount : struct, ICount
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<TWidth>(Processor processor, Op* op, ulong value)
        where TWidth : struct, IWidth
    {
        int masked = TCount.Of(processor, op) & (TWidth.Bits == 64 ? 63 : 31);
        if (masked == 0)
        {
            return value;
        }

        int count = masked & (TWidth.Bits - 1);
        ulong result = count == 0 ? value : TWidth.Truncate((value >> count) | (value << (TWidth.Bits - count)));
        bool carry = TWidth.SignExtend(result) < 0;
        processor.Flags.SetCarryOverflow(carry, carry != ((result >> (TWidth.Bits - 2) & 1) != 0));
        return result;
    }
}

/// <summary>RCL.</summary>
internal readonly unsafe struct RotateCarryLeft<TCount> : IUnary
    where TCount : struct, ICount
{
    public static ulong Apply<TWidth>(Processor processor, Op* op, ulong value)
        where TWidth : struct, IWidth
    {
        int masked = TCount.Of(processor, op) & (TWidth.Bits == 64 ? 63 : 31);
        int count = masked % (TWidth.Bits + 1);
        bool carry = processor.Flags.C;
        if (masked == 0)
        {
            return value;
        }

        for (int i = 0; i < count; i++)
        {
            bool top = TWidth.SignExtend(value) < 0;
            value = TWidth.Truncate((value << 1) | (carry ? 1UL : 0));
            carry = top;
        }

        processor.Flags.SetCarryOverflow(carry, carry != (TWidth.SignExtend(value) < 0));
        return value;
    }
}

/// <summary>RCR.</summary>
internal readonly unsafe struct RotateCarryRight<TCount> : IUnary
    where TCount : struct, ICount
{
    public static ulong Apply<TWidth>(Processor processor, Op* op, ulong value)
        where TWidth : struct, IWidth
    {
        int masked = TCount.Of(processor, op) & (TWidth.Bits == 64 ? 63 : 31);
        int count = masked % (TWidth.Bits + 1);
        bool carry = processor.Flags.C;
        if (masked == 0)
        {
            return value;
        }

        for (int i = 0; i < count; i++)
        {
            bool bottom = (value & 1) != 0;
            value = (value >> 1) | (carry ? 1UL << (TWidth.Bits - 1) : 0);
            carry = bottom;
        }

        bool overflow = (TWidth.SignExtend(value) < 0) != ((value >> (TWidth.Bits - 2) & 1) != 0);
        processor.Flags.SetCarryOverflow(carry, overflow);
        return value;
    }
}

/// <summary>SHLD; the register is <see cref="Op.Source"/>.</summary>
internal readonly unsafe struct ShiftLeftDouble<TCount> : IUnary
    where TCount : struct, ICount
{
    public static ulong Apply<TWidth>(Processor processor, Op* op, ulong value)
        where TWidth : struct, IWidth
    {
        int count = TCount.Of(processor, op) & (TWidth.Bits == 64 ? 63 : 31);
        if (count == 0)
        {
            return value;
        }

        ulong filler = TWidth.Get(processor.R + op->Source);
        UInt128 whole = ((UInt128)value << TWidth.Bits) | filler;
        if (TWidth.Bits == 16 && count > 16)
        {
            // Undefined by the manual; what the processors of Intel and AMD do is to go on with the destination.
            whole = (whole << 16) | value;
            ulong wide = TWidth.Truncate((ulong)(whole >> (32 - count)));
            processor.Flags.SetShift<TWidth>(wide, ((ulong)(whole >> (48 - count)) & 1) != 0, overflow: false);
            return wide;
        }

        ulong result = TWidth.Truncate((ulong)((whole << count) >> TWidth.Bits));
        bool carry = (value >> (TWidth.Bits - count) & 1) != 0;
        processor.Flags.SetShift<TWidth>(result, carry, (TWidth.SignExtend(result) < 0) != (TWidth.SignExtend(value) < 0));
        return result;
    }
}

/// <summary>SHRD; the register is <see cref="Op.Source"/>.</summary>
internal readonly unsafe struct ShiftRightDouble<TCount> : IUnary
    where TCount : struct, ICount
{
    public static ulong Apply<TWidth>(Processor processor, Op* op, ulong value)
        where TWidth : struct, IWidth
    {
        int count = TCount.Of(processor, op) & (TWidth.Bits == 64 ? 63 : 31);
        if (count == 0)
        {
            return value;
        }

        ulong filler = TWidth.Get(processor.R + op->Source);
        UInt128 whole = ((UInt128)filler << TWidth.Bits) | value;
        if (TWidth.Bits == 16)
        {
            whole |= (UInt128)value << 32;
        }

        ulong result = TWidth.Truncate((ulong)(whole >> count));
        bool carry = ((ulong)(whole >> (count - 1)) & 1) != 0;
        processor.Flags.SetShift<TWidth>(result, carry, (TWidth.SignExtend(result) < 0) != (TWidth.SignExtend(value) < 0));
        return result;
    }
}
