using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MemVirt.Core.Tlb;

/// <summary>The order of a set's words, most recent first.</summary>
internal static unsafe class Recency
{
    /// <summary>Words past the end of the last set that may be read, and written with what they hold.</summary>
    internal const int SlackWords = MaxVectorWays;

    /// <summary>Ways of a set that a narrow vector holds, so that moving them does not touch the next set.</summary>
    internal const int NarrowWays = 4;

    private const int Lanes = 8;
    private const int MaxVectorWays = 2 * Lanes;

    // Row w takes lane w to the front and the lanes before it one back: w, 0, 1, …, w − 1, w + 1, ….
    private static readonly ulong* _rows = BuildRows();

    /// <summary>Moves the words before <paramref name="way"/> one back and puts <paramref name="word"/> in front of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void MoveToFront(ulong* set, int way, int ways, ulong word)
    {
        if (Avx512F.VL.IsSupported && ways <= NarrowWays)
        {
            MoveByNarrowVector(set, way, word);
        }
        else if (Avx512F.IsSupported && ways <= MaxVectorWays)
        {
            MoveByVectors(set, way, word);
        }
        else
        {
            MoveByWords(set, way, word);
        }
    }

    /// <summary>A word at a time; what vectors must equal.</summary>
    internal static void MoveByWords(ulong* set, int way, ulong word)
    {
        for (; way > 0; way--)
        {
            set[way] = set[way - 1];
        }

        set[0] = word;
    }

    /// <summary>
    /// Four words at once. A wide vector would do, but for the next set: to load, of what has just been stored wide, another part costs
    /// more than the whole look-up.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void MoveByNarrowVector(ulong* set, int way, ulong word)
    {
        Vector256<ulong> row = Vector256.Load(_rows + (way * MaxVectorWays));
        Vector256.Store(Avx512F.VL.PermuteVar4x64x2(Vector256.Load(set), row, Vector256.Create(word)), set);
    }

    /// <summary>Up to <see cref="SlackWords"/> words at once, none of them by a branch that cannot be foretold.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void MoveByVectors(ulong* set, int way, ulong word)
    {
        ulong* row = _rows + (way * MaxVectorWays);
        Vector512<ulong> low = Vector512.Load(set);
        Vector512<ulong> front = Vector512.Create(word);
        if (way < Lanes)
        {
            Vector512.Store(Avx512F.PermuteVar8x64x2(low, Vector512.Load(row), front), set);
        }
        else
        {
            Vector512<ulong> high = Vector512.Load(set + Lanes);
            Vector512.Store(Avx512F.PermuteVar8x64x2(low, Vector512.Load(row), front), set);
            Vector512.Store(Avx512F.PermuteVar8x64x2(low, Vector512.Load(row + Lanes), high), set + Lanes);
        }
    }

    private static ulong* BuildRows()
    {
        ulong* rows = (ulong*)NativeMemory.AlignedAlloc(MaxVectorWays * MaxVectorWays * sizeof(ulong), 64);
        for (int way = 0; way < MaxVectorWays; way++)
        {
            for (int lane = 0; lane < MaxVectorWays; lane++)
            {
                // The front comes from the second operand, the same in all lanes: numbers 8 to 15 of wide vectors, 4 to 7 of narrow ones.
                rows[(way * MaxVectorWays) + lane] = (ulong)(lane == 0 ? Lanes + NarrowWays : lane <= way ? lane - 1 : lane);
            }
        }

        return rows;
    }
}
