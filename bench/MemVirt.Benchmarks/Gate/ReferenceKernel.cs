using System.Runtime.CompilerServices;

namespace MemVirt.Benchmarks.Gate;

/// <summary>
/// What times are divided by: loads that depend on each other in 16 KiB, with an addition, a rotation and a branch each, as a walk
/// or a look-up has them. It uses nothing of the library.
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

    internal static int Operations => Steps;

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
}
