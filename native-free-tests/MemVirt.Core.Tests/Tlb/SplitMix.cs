namespace MemVirt.Core.Tests.Tlb;

/// <summary>splitmix64, written from Steele, Lea and Flood (OOPSLA 2014), for the models here.</summary>
internal sealed class SplitMix(ulong seed)
{
    private ulong _state = seed;

    internal ulong Next()
    {
        _state += 0x9E3779B97F4A7C15;
        ulong z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    internal int Below(int limit) => (int)(Next() % (ulong)limit);

    internal bool Chance(int percent) => Below(100) < percent;
}
