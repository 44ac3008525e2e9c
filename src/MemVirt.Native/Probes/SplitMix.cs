namespace MemVirt.Native.Probes;

/// <summary>A small generator whose sequence depends on the seed alone, on every version of .NET.</summary>
internal struct SplitMix(ulong seed)
{
    private ulong _state = seed;

    internal ulong Next()
    {
        ulong word = _state += 0x9E37_79B9_7F4A_7C15;
        word = (word ^ (word >> 30)) * 0xBF58_476D_1CE4_E5B9;
        word = (word ^ (word >> 27)) * 0x94D0_49BB_1331_11EB;
        return word ^ (word >> 31);
    }

    /// <summary>0 to <paramref name="end"/> − 1.</summary>
    internal int Below(int end) => (int)(Next() % (uint)end);

    internal bool Chance(int percent) => Below(100) < percent;
}
