using System.Numerics;
using System.Runtime.CompilerServices;

namespace MemVirt.Core.Tlb;

/// <summary>How many sets and ways a structure has, and which set a page number falls into.</summary>
public readonly struct SetGeometry
{
    private readonly bool _powerOfTwo;
    private readonly ulong _mask;
    private readonly int _fold;

    /// <summary>Sets of a number of ways each.</summary>
    /// <param name="entries">Entries in all, at least 1.</param>
    /// <param name="ways">Ways of a set, from 1 to <paramref name="entries"/>, a divisor of it.</param>
    /// <param name="xorIndex">Whether the page number ÷ sets is folded in by exclusive or; the sets must then be a power of two.</param>
    /// <exception cref="ArgumentException">The figures do not fit together.</exception>
    public SetGeometry(int entries, int ways, bool xorIndex = false)
    {
        if (entries < 1 || ways < 1 || entries % ways != 0)
        {
            Throw.BadGeometry($"{entries} entries cannot be split into sets of {ways} ways.");
        }

        Ways = ways;
        Sets = entries / ways;
        _powerOfTwo = BitOperations.IsPow2(Sets);
        if (xorIndex && !_powerOfTwo)
        {
            Throw.BadGeometry($"An xor index needs a power of two of sets, not {Sets}.");
        }

        _mask = (uint)Sets - 1;
        _fold = xorIndex && Sets > 1 ? BitOperations.Log2((uint)Sets) : 63;
    }

    /// <summary>Sets.</summary>
    public int Sets { get; }

    /// <summary>Ways of a set.</summary>
    public int Ways { get; }

    /// <summary>Whether the page number ÷ sets is folded into the index by exclusive or.</summary>
    public bool XorIndex => _fold != 63;

    /// <summary>Entries in all.</summary>
    public int Entries => Sets * Ways;

    /// <summary>The index of the first way of the set that a number below 2^63 falls into.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every look-up: bench TlbBenchmarks
    public int FirstWay(ulong number)
        => _powerOfTwo
            ? (int)((number ^ (number >> _fold)) & _mask) * Ways
            : (int)(number % (uint)Sets) * Ways;
}
