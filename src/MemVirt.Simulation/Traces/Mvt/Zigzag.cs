namespace MemVirt.Simulation.Traces.Mvt;

/// <summary>Differences of 48-bit addresses, folded so that small ones of either sign become small numbers.</summary>
internal static class Zigzag
{
    /// <summary>The folded difference; adding it back is exact modulo 2^48.</summary>
    public static ulong Encode(ulong address, ulong reference)
    {
        long difference = (long)((address - reference) << 16) >> 16;
        return ((ulong)difference << 1) ^ (ulong)(difference >> 63);
    }

    /// <summary>The difference that <see cref="Encode"/> folded.</summary>
    public static ulong Decode(ulong folded) => (folded >> 1) ^ (0UL - (folded & 1));
}
