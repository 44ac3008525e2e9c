namespace MemVirt.Core.Tlb;

/// <summary>How the victim of a full set is chosen.</summary>
public enum Replacement
{
    /// <summary>True least-recently-used.</summary>
    LeastRecentlyUsed,

    /// <summary>
    /// One bit a way: an access sets its bit; when all are set the others are cleared; the victim is the lowest way whose bit is
    /// clear.
    /// </summary>
    BitPseudoLru,

    /// <summary>A splitmix64 stream (Steele, Lea and Flood, OOPSLA 2014), drawn only when the set is full: way = draw mod ways.</summary>
    Random,
}
