namespace MemVirt.Cpu.FloatingPoint.Arithmetic;

/// <summary>The rounding control (Intel SDM Vol. 1 table 4-8).</summary>
internal enum Rounding
{
    /// <summary>To nearest, to even where two are as near.</summary>
    Nearest,

    /// <summary>Towards −∞.</summary>
    Down,

    /// <summary>Towards +∞.</summary>
    Up,

    /// <summary>Towards zero.</summary>
    Truncate,
}
