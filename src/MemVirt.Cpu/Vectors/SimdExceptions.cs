using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.FloatingPoint.Arithmetic;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.Vectors;

/// <summary>What an SSE instruction has met goes into MXCSR, or is #XM (Intel SDM Vol. 1 §11.5).</summary>
internal static unsafe class SimdExceptions
{
    /// <summary>All exceptions masked, in MXCSR.</summary>
    public const uint AllMasked = 0x1F80;

    private const uint RoundingAndZeros = 0xE040;
    private const int MaskShift = 7;
    private const ulong OsXmmExcept = 1 << 10;

    /// <summary>
    /// Whether MXCSR asks for nothing but what the host's arithmetic does anyway: all masked, to nearest, denormals as they are.
    /// </summary>
    public static bool IsPlain(uint mxcsr) => (mxcsr & (AllMasked | RoundingAndZeros)) == AllMasked;

    /// <summary>Whether a result that is not exact leaves no trace: the flag is set already.</summary>
    public static bool IsInexactKnown(uint mxcsr) => (mxcsr & (uint)FloatFlags.Precision) != 0;

    /// <summary>
    /// Takes what lanes have met. An exception of any from before its computation that is not masked hides all from after it (§11.5.3).
    /// </summary>
    /// <returns>False: the instruction has done nothing, and the exception is raised; #UD without CR4.OSXMMEXCPT.</returns>
    public static bool TrySettle(Processor processor, Op* op)
    {
        FloatFlags met = processor.SimdFlags;
        if (met == FloatFlags.None)
        {
            return true;
        }

        processor.SimdFlags = FloatFlags.None;
        FloatFlags unmasked = met & (FloatFlags)(~processor.Mxcsr >> MaskShift);
        if ((unmasked & FloatFlags.BeforeComputation) != 0)
        {
            met &= FloatFlags.BeforeComputation;
        }

        processor.Mxcsr |= (uint)met;
        if (unmasked == FloatFlags.None)
        {
            return true;
        }

        processor.Raise(op, (processor.Control.Cr4 & OsXmmExcept) != 0 ? Vector.SimdFloatingPoint : Vector.InvalidOpcode);
        return false;
    }
}
