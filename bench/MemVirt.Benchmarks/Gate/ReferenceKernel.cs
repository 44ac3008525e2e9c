using System.Runtime.CompilerServices;

namespace MemVirt.Benchmarks.Gate;

/// <summary>
/// What times are divided by, and what tells how much of the processor's core is ours. Neither uses anything of the library.
/// </summary>
internal sealed unsafe class ReferenceKernel
{
    private const int Words = 2048;
    private const int Steps = 4096;
    private readonly ulong[] _next = GC.AllocateArray<ulong>(Words, pinned: true);

    internal ReferenceKernel()
    {
        // One cycle through all words, in steps that no prefetcher follows.
        for (int word = 0; word < Words; word++)
        {
            _next[word] = (ulong)((word + 1237) & (Words - 1));
        }
    }

    /// <summary>Steps of one call of either.</summary>
    internal static int Operations => Steps;

    /// <summary>
    /// The reference: loads that depend on each other in 16 KiB, with an addition, a rotation and a branch each, as a walk or a look-up has
    /// them. It waits for loads and leaves most of the core idle: a neighbour on the core's other thread does not make it slower.
    /// </summary>
    // Compiled once: in the middle of a loop the JIT may go on in code half as fast, and all ratios would be half as large.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal ulong Run()
    {
        ulong sum = 0;
        fixed (ulong* next = _next)
        {
            ulong at = 0;
            for (int step = 0; step < Steps; step++)
            {
                at = next[at];
                sum = ulong.RotateLeft(sum + at, 7);
                if (at == Words)
                {
                    return sum;
                }
            }
        }

        return sum;
    }

    /// <summary>The same loads and arithmetic, none of which waits for another's: it fills the core, and a neighbour takes its share.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal ulong RunWide()
    {
        ulong a = 0, b = 0, c = 0, d = 0;
        fixed (ulong* next = _next)
        {
            ulong* end = next + Words;
            for (int pass = 0; pass < Steps / Words; pass++)
            {
                for (ulong* at = next; at < end; at += 8)
                {
                    a = (a + at[0]) ^ at[1];
                    b = (b + at[2]) ^ at[3];
                    c = (c + at[4]) ^ at[5];
                    d = (d + at[6]) ^ at[7];
                }
            }
        }

        return a ^ b ^ c ^ d;
    }
}
