using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MemVirt.Core.Tlb;

/// <summary>A way of finding a tag among the ways of a set.</summary>
public interface ITagSearch
{
    /// <summary>The lowest index below <paramref name="count"/> whose tag equals <paramref name="tag"/>, or −1.</summary>
    static abstract unsafe int Find(ulong* tags, int count, ulong tag);
}

/// <summary>One compare a way; what the vector units must equal.</summary>
public readonly struct ScalarTagSearch : ITagSearch
{
    /// <inheritdoc/>
    public static unsafe int Find(ulong* tags, int count, ulong tag)
    {
        for (int way = 0; way < count; way++)
        {
            if (tags[way] == tag)
            {
                return way;
            }
        }

        return -1;
    }
}

/// <summary>Four ways a compare: lane i of a 256-bit vector is the tag of way base + i. Equals <see cref="ScalarTagSearch"/>.</summary>
public readonly struct Vector256TagSearch : ITagSearch
{
    /// <inheritdoc/>
    public static unsafe int Find(ulong* tags, int count, ulong tag)
    {
        Vector256<ulong> wanted = Vector256.Create(tag);
        int way = 0;
        for (; way + Vector256<ulong>.Count <= count; way += Vector256<ulong>.Count)
        {
            uint equal = Vector256.Equals(Vector256.Load(tags + way), wanted).ExtractMostSignificantBits();
            if (equal != 0)
            {
                return way + System.Numerics.BitOperations.TrailingZeroCount(equal);
            }
        }

        int rest = ScalarTagSearch.Find(tags + way, count - way, tag);
        return rest < 0 ? -1 : way + rest;
    }
}

/// <summary>Eight ways a compare: lane i of a 512-bit vector is the tag of way base + i. Equals <see cref="ScalarTagSearch"/>.</summary>
public readonly struct Vector512TagSearch : ITagSearch
{
    /// <inheritdoc/>
    public static unsafe int Find(ulong* tags, int count, ulong tag)
    {
        Vector512<ulong> wanted = Vector512.Create(tag);
        int way = 0;
        for (; way + Vector512<ulong>.Count <= count; way += Vector512<ulong>.Count)
        {
            ulong equal = Vector512.Equals(Vector512.Load(tags + way), wanted).ExtractMostSignificantBits();
            if (equal != 0)
            {
                return way + System.Numerics.BitOperations.TrailingZeroCount(equal);
            }
        }

        int rest = Vector256TagSearch.Find(tags + way, count - way, tag);
        return rest < 0 ? -1 : way + rest;
    }

    /// <summary>The same where seven words past the last tag may be read; what they hold is left out of account.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // one compare for up to eight ways: bench TlbBenchmarks
    public static unsafe int FindPadded(ulong* tags, int count, ulong tag)
    {
        if (count <= Vector256<ulong>.Count)
        {
            // Not wider than the set: see Recency.MoveByNarrowVector.
            uint narrow = Vector256.Equals(Vector256.Load(tags), Vector256.Create(tag)).ExtractMostSignificantBits() & ((1U << count) - 1);
            return narrow == 0 ? -1 : System.Numerics.BitOperations.TrailingZeroCount(narrow);
        }

        Vector512<ulong> wanted = Vector512.Create(tag);
        for (int way = 0; way < count; way += Vector512<ulong>.Count)
        {
            ulong equal = Vector512.Equals(Vector512.Load(tags + way), wanted).ExtractMostSignificantBits();
            if (equal != 0)
            {
                int found = way + System.Numerics.BitOperations.TrailingZeroCount(equal);
                return found < count ? found : -1;
            }
        }

        return -1;
    }
}

/// <summary>The widest search this processor has; the choice is a constant to the JIT.</summary>
public readonly struct BestTagSearch : ITagSearch
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe int Find(ulong* tags, int count, ulong tag)
        => Vector512.IsHardwareAccelerated && count >= Vector512<ulong>.Count ? Vector512TagSearch.Find(tags, count, tag)
            : Vector256.IsHardwareAccelerated && count >= Vector256<ulong>.Count ? Vector256TagSearch.Find(tags, count, tag)
            : ScalarTagSearch.Find(tags, count, tag);

    /// <summary>The same where seven words past the last tag may be read: no ways are left over for narrower compares.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe int FindPadded(ulong* tags, int count, ulong tag)
        => Vector512.IsHardwareAccelerated ? Vector512TagSearch.FindPadded(tags, count, tag) : Find(tags, count, tag);
}
