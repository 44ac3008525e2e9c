using MemVirt.Cpu.FloatingPoint.Arithmetic;

namespace MemVirt.Cpu.FloatingPoint;

/// <summary>What FLD1 and its like push: of 66 bits, rounded as the control word says (Intel SDM Vol. 1 §8.3.8).</summary>
internal static class FloatingPointConstants
{
    private static readonly (Extended Nearest, int Error)[] _all =
    [
        (new Extended(0x8000_0000_0000_0000, 0x3FFF), 0), // 1
        (new Extended(0xD49A_784B_CD1B_8AFE, 0x4000), -1), // log2 10
        (new Extended(0xB8AA_3B29_5C17_F0BC, 0x3FFF), 1), // log2 e
        (new Extended(0xC90F_DAA2_2168_C235, 0x4000), 1), // π
        (new Extended(0x9A20_9A84_FBCF_F799, 0x3FFD), 1), // log10 2
        (new Extended(0xB172_17F7_D1CF_79AC, 0x3FFE), 1), // ln 2
        (default, 0), // 0
    ];

    /// <summary>A constant, in the order of the opcodes D9 E8 to D9 EE.</summary>
    public static Extended Of(int index, Rounding rounding)
    {
        (Extended nearest, int error) = _all[index];
        ulong adjustment = error > 0 && (rounding is Rounding.Down or Rounding.Truncate) ? ulong.MaxValue
            : error < 0 && rounding == Rounding.Up ? 1UL : 0;
        return nearest with { Significand = nearest.Significand + adjustment };
    }
}
