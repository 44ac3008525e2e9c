using Iced.Intel;

namespace MemVirt.Cpu.Decoding;

/// <summary>Conditions as instructions encode them.</summary>
internal static class Conditions
{
    /// <summary>The number, 0 to 15 (Intel SDM Vol. 1 appendix B).</summary>
    public static int NumberOf(ConditionCode condition) => condition switch
    {
        ConditionCode.o => 0,
        ConditionCode.no => 1,
        ConditionCode.b => 2,
        ConditionCode.ae => 3,
        ConditionCode.e => 4,
        ConditionCode.ne => 5,
        ConditionCode.be => 6,
        ConditionCode.a => 7,
        ConditionCode.s => 8,
        ConditionCode.ns => 9,
        ConditionCode.p => 10,
        ConditionCode.np => 11,
        ConditionCode.l => 12,
        ConditionCode.ge => 13,
        ConditionCode.le => 14,
        _ => 15,
    };
}
