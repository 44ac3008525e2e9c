namespace MemVirt.Cpu.FloatingPoint;

/// <summary>What an x87 instruction does with its operands.</summary>
internal enum FloatingPointOperation : byte
{
    Add,
    Multiply,
    Subtract,
    Divide,
    SquareRoot,
    RoundToInteger,
    Scale,
    ChangeSign,
    Absolute,
    Extract,
    Remainder,
    RemainderToNearest,
}

/// <summary>What is known of an x87 instruction; <see cref="Decoding.Op.Extra"/>.</summary>
[Flags]
internal enum FloatingPointTraits : byte
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The memory operand is an integer.</summary>
    Integer = 1,

    /// <summary>The source is the first operand: FSUBR, FDIVR.</summary>
    Reversed = 2,

    /// <summary>The stack is popped once.</summary>
    Pop = 4,

    /// <summary>The stack is popped twice.</summary>
    PopTwice = 8,

    /// <summary>A quiet NaN is not invalid: FUCOM; an empty register is no fault: FSTPNCE.</summary>
    Quiet = 16,

    /// <summary>The result goes to EFLAGS: FCOMI.</summary>
    ToFlags = 32,

    /// <summary>Truncates whatever the rounding control: FISTTP.</summary>
    Truncates = 64,

    /// <summary>The memory operand is 18 digits: FBLD, FBSTP.</summary>
    Decimal = 128,
}
