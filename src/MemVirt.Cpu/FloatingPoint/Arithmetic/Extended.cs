using System.Runtime.InteropServices;

namespace MemVirt.Cpu.FloatingPoint.Arithmetic;

/// <summary>A number of 80 bits as it lies in memory, ten bytes.</summary>
/// <param name="Significand">The significand, its integer bit at 63.</param>
/// <param name="SignAndExponent">The sign at bit 15, the exponent below.</param>
[StructLayout(LayoutKind.Sequential, Pack = 2)]
internal readonly record struct Extended(ulong Significand, ushort SignAndExponent)
{
    /// <summary>Bytes in memory.</summary>
    public const int Bytes = 10;
}
