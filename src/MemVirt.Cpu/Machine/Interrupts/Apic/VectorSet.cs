using System.Numerics;

namespace MemVirt.Cpu.Machine.Interrupts.Apic;

/// <summary>The 256 bits of an ISR, IRR or TMR (Intel SDM Vol. 3A §11.8.4).</summary>
internal sealed class VectorSet
{
    /// <summary>No vector.</summary>
    internal const int None = -1;

    private readonly ulong[] _words = new ulong[4];

    /// <summary>The highest vector in it, or <see cref="None"/>.</summary>
    internal int Highest
    {
        get
        {
            for (int index = _words.Length - 1; index >= 0; index--)
            {
                if (_words[index] != 0)
                {
                    return (64 * index) + BitOperations.Log2(_words[index]);
                }
            }

            return None;
        }
    }

    /// <summary>One of the eight registers, 0 the lowest vectors'.</summary>
    internal uint Register(int index) => (uint)(_words[index >> 1] >> (32 * (index & 1)));

    internal bool Has(int vector) => (_words[vector >> 6] >> (vector & 63) & 1) != 0;

    internal void Set(int vector, bool isIn)
    {
        ulong bit = 1UL << (vector & 63);
        ref ulong word = ref _words[vector >> 6];
        word = isIn ? word | bit : word & ~bit;
    }

    internal void Clear() => Array.Clear(_words);
}
