using System.Numerics;
using System.Runtime.CompilerServices;
using MemVirt.Cpu.Execution;

namespace MemVirt.Cpu;

/// <summary>
/// The six arithmetic flags, kept as what they follow from. <see cref="Result"/> is the last result, sign-extended: ZF, SF and PF. Of
/// <see cref="Carries"/>, bit 63 is CF, bit 62 the carry into the top bit (OF is where the two differ), bit 3 AF; bits 0 and 1 invert SF
/// and PF where a result that is as they say cannot be.
/// </summary>
internal struct LazyFlags
{
    public const uint Carry = 1 << 0;
    public const uint Parity = 1 << 2;
    public const uint Auxiliary = 1 << 4;
    public const uint Zero = 1 << 6;
    public const uint Sign = 1 << 7;
    public const uint Overflow = 1 << 11;
    public const uint All = Carry | Parity | Auxiliary | Zero | Sign | Overflow;

    private const ulong CarryBits = 3UL << 62;
    private const ulong AuxiliaryBit = 8;

    /// <summary>The last result, sign-extended from its width.</summary>
    public long Result;

    /// <summary>Carries and corrections.</summary>
    public ulong Carries;

    /// <summary>CF.</summary>
    public readonly bool C
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (long)Carries < 0;
    }

    /// <summary>OF.</summary>
    public readonly bool O
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (long)(Carries ^ (Carries << 1)) < 0;
    }

    /// <summary>ZF.</summary>
    public readonly bool Z
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Result == 0;
    }

    /// <summary>SF.</summary>
    public readonly bool S
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (((ulong)Result >> 63) ^ (Carries & 1)) != 0;
    }

    /// <summary>PF.</summary>
    public readonly bool P => (((uint)BitOperations.PopCount((byte)Result) ^ (uint)(Carries >> 1) ^ 1) & 1) != 0;

    /// <summary>AF.</summary>
    public readonly bool A => (Carries & AuxiliaryBit) != 0;

    /// <summary>The flags at their places in EFLAGS.</summary>
    public readonly uint Value
        => (C ? Carry : 0) | (P ? Parity : 0) | (A ? Auxiliary : 0) | (Z ? Zero : 0) | (S ? Sign : 0) | (O ? Overflow : 0);

    /// <summary>Takes the flags from EFLAGS.</summary>
    public void Set(uint flags)
    {
        bool zero = (flags & Zero) != 0;
        bool carry = (flags & Carry) != 0;
        bool overflow = (flags & Overflow) != 0;
        bool parity = (flags & Parity) != 0;
        Result = zero ? 0 : 1;
        Carries = (carry ? 1UL << 63 : 0) | (carry != overflow ? 1UL << 62 : 0) | ((flags & Auxiliary) != 0 ? AuxiliaryBit : 0)
                  | ((flags & Sign) != 0 ? 1UL : 0) | (parity != zero ? 2UL : 0);
    }

    /// <summary>Flags of a result by its vector of carries out of (or borrows into) each bit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetArithmetic<TWidth>(ulong result, ulong carries)
        where TWidth : struct, IWidth
    {
        Result = TWidth.SignExtend(result);
        Carries = ((carries << (64 - TWidth.Bits)) & CarryBits) | (carries & AuxiliaryBit);
    }

    /// <summary>Flags of a logical result: CF, OF and AF clear.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetLogic<TWidth>(ulong result)
        where TWidth : struct, IWidth
    {
        Result = TWidth.SignExtend(result);
        Carries = 0;
    }

    /// <summary>Flags of a result with CF and OF given; AF clear.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetShift<TWidth>(ulong result, bool carry, bool overflow)
        where TWidth : struct, IWidth
    {
        Result = TWidth.SignExtend(result);
        Carries = CarryOverflow(carry, overflow);
    }

    /// <summary>CF and OF alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetCarryOverflow(bool carry, bool overflow) => Carries = (Carries & ~CarryBits) | CarryOverflow(carry, overflow);

    /// <summary>CF alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetCarry(bool carry) => SetCarryOverflow(carry, O);

    /// <summary>ZF alone.</summary>
    public void SetZero(bool zero)
    {
        uint others = Value & ~Zero;
        Set(zero ? others | Zero : others);
    }

    /// <summary>A condition as Jcc, SETcc and CMOVcc encode it, 0 to 15 (Intel SDM Vol. 1 appendix B).</summary>
    public readonly bool Holds(int condition)
    {
        bool holds = (condition >> 1) switch
        {
            0 => O,
            1 => C,
            2 => Z,
            3 => C || Z,
            4 => S,
            5 => P,
            6 => S != O,
            _ => Z || S != O,
        };
        return holds != ((condition & 1) != 0);
    }

    private static ulong CarryOverflow(bool carry, bool overflow)
        => (carry ? 1UL << 63 : 0) | (carry != overflow ? 1UL << 62 : 0);
}
