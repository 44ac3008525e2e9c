namespace MemVirt.Cpu.FloatingPoint.Arithmetic;

/// <summary>
/// Floating-point exceptions, at their places in the x87 status word and in MXCSR; their masks are at the same in the control word, and
/// seven bits further up in MXCSR (Intel SDM Vol. 1 §4.9.1).
/// </summary>
[Flags]
internal enum FloatFlags : ushort
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>#I.</summary>
    Invalid = 1,

    /// <summary>#D.</summary>
    Denormal = 2,

    /// <summary>#Z.</summary>
    ZeroDivide = 4,

    /// <summary>#O.</summary>
    Overflow = 8,

    /// <summary>#U.</summary>
    Underflow = 16,

    /// <summary>#P.</summary>
    Precision = 32,

    /// <summary>Of the x87 status word: #I is of the register stack.</summary>
    StackFault = 64,

    /// <summary>Those found before anything is computed.</summary>
    BeforeComputation = Invalid | Denormal | ZeroDivide,

    /// <summary>All that have a mask.</summary>
    All = BeforeComputation | Overflow | Underflow | Precision,
}
