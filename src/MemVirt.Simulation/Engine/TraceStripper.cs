using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using MemVirt.Core.Addresses;
using MemVirt.Core.Tlb;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Engine;

/// <summary>What decides which references can be stripped: regimes and machines that agree in it share one pass.</summary>
/// <param name="PageShift">The binary logarithm of the page size in bytes.</param>
/// <param name="Slots">A power of two up to <see cref="MaxSlots"/>: pages of one set, whichever first level it is of, share a slot.</param>
internal readonly record struct StripGeometry(int PageShift, int Slots)
{
    internal const int MaxSlots = 16;

    /// <summary>4 KiB pages in the most slots: what it leaves names every page of the trace.</summary>
    internal static StripGeometry Finest { get; } = new((int)PageSize.Size4K, MaxSlots);

    /// <summary>The finest geometry that serves both first levels, each of one structure that is probed in one page size.</summary>
    internal static StripGeometry Of(SetGeometry fetches, PageSize fetchSize, SetGeometry data, PageSize dataSize)
        => fetchSize == dataSize
            ? new StripGeometry((int)fetchSize, Math.Min(SlotsOf(fetches), SlotsOf(data)))
            : new StripGeometry((int)PageSize.Size4K, 1);

    // Page numbers that agree modulo the sets agree modulo a power of two that divides them; folded ones need not.
    private static int SlotsOf(SetGeometry geometry) => geometry.XorIndex ? 1 : Math.Min(MaxSlots, geometry.Sets & -geometry.Sets);
}

/// <summary>
/// Trace stripping (Puzak, "Analysis of cache replacement algorithms", 1985): leaves out references that cannot change the state of a
/// first-level TLB, whatever it holds. Such a reference goes to the page that was the last to be accessed in its set, and, being
/// a store, that page has been stored to since. It hits, and under every replacement policy of this simulation a second hit in a
/// row changes nothing. State is kept within a batch and within a process only.
/// </summary>
internal sealed class TraceStripper(StripGeometry geometry)
{
    private const ulong NoPage = 1UL << 62;
    private const int Slots = StripGeometry.MaxSlots;
    private const int Lanes = 8;
    private const int KindShift = 48;
    private const int SizeShift = 50;
    private const ulong KindMask = 3UL << KindShift;
    private const ulong OffsetMask = 0xFFF;
    private const ulong PageBytes = OffsetMask + 1;

    // Slots of data, then of fetches. A word is the page number shifted left by one, with bit 0 set once it has been stored to.
    private readonly ulong[] _slots = new ulong[2 * Slots];

    internal StripGeometry Geometry => geometry;

    /// <summary>Strips a whole batch.</summary>
    internal void Strip(ReferenceBatch batch, StrippedReferences into)
    {
        long start = Stopwatch.GetTimestamp();
        into.Clear();
        int process = -1;
        foreach (BatchSegment segment in batch.Segments)
        {
            if (segment.Process != process)
            {
                process = segment.Process;
                Forget();
            }

            into.Append(Strip(batch.Of(segment), into.Free, into.FreePositions, Avx512F.IsSupported));
        }

        into.Ticks = Stopwatch.GetTimestamp() - start;
    }

    /// <summary>Forgets which pages were accessed last.</summary>
    internal void Forget() => Array.Fill(_slots, NoPage);

    /// <summary>Strips references of one process; with and without vectors the same are kept.</summary>
    internal StrippedSegment Strip(
        ReadOnlySpan<MemoryReference> references, Span<MemoryReference> kept, Span<ushort> positions, bool vectors)
    {
        var pass = new Pass { Kept = MemoryMarshal.Cast<MemoryReference, ulong>(kept), Positions = positions };
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<MemoryReference, ulong>(references);
        int whole = 0;
        if (vectors)
        {
            whole = words.Length & ~(Lanes - 1);
            StripVectors(words[..whole], ref pass);
        }

        StripScalar(words, whole, ref pass);
        return new StrippedSegment(pass.Count, pass.Fetches, pass.Stores);
    }

    private void StripScalar(ReadOnlySpan<ulong> words, int start, ref Pass pass)
    {
        int shift = geometry.PageShift;
        ulong mask = (ulong)geometry.Slots - 1;
        ref ulong slots = ref MemoryMarshal.GetArrayDataReference(_slots);
        int fetches = 0;
        int stores = 0;
        for (int i = start; i < words.Length; i++)
        {
            ulong bits = words[i];
            ulong number = (bits & MemoryReference.AddressMask) >> shift;
            ulong fetch = (bits & KindMask) == 0 ? 1UL : 0;
            ulong store = (bits >> (KindShift + 1)) & 1;
            fetches += (int)fetch;
            stores += (int)store;

            // 0 where the slot holds the page, stored to; 1 where it holds the page, not stored to.
            ulong difference = Unsafe.Add(ref slots, (nint)((number & mask) + (fetch * Slots))) ^ ((number << 1) | 1);
            bool crosses = (bits & OffsetMask) + (bits >> SizeShift) > PageBytes;
            if (difference + store > 1 || crosses)
            {
                Enter(ref slots, bits, fetch, number, mask);
                if (crosses)
                {
                    Enter(ref slots, bits, fetch, LastPage(bits, shift), mask);
                }

                pass.Keep(bits, i);
            }
        }

        pass.Fetches += fetches;
        pass.Stores += stores;
    }

    /// <summary>Eight references at a time, with the slots in registers; equals <see cref="StripScalar"/>.</summary>
    private void StripVectors(ReadOnlySpan<ulong> words, ref Pass pass)
    {
        int shift = geometry.PageShift;
        ulong mask = (ulong)geometry.Slots - 1;
        ref ulong slots = ref MemoryMarshal.GetArrayDataReference(_slots);
        Vector512<ulong> data0 = Vector512.LoadUnsafe(ref slots, 0);
        Vector512<ulong> data1 = Vector512.LoadUnsafe(ref slots, Lanes);
        Vector512<ulong> fetch0 = Vector512.LoadUnsafe(ref slots, Slots);
        Vector512<ulong> fetch1 = Vector512.LoadUnsafe(ref slots, Slots + Lanes);
        Vector512<ulong> one = Vector512<ulong>.One;
        Vector512<ulong> lanes = Vector512.CreateSequence<ulong>(0, 1);
        int fetches = 0;
        Vector512<ulong> storesOfLane = Vector512<ulong>.Zero;
        ref ulong word = ref MemoryMarshal.GetReference(words);
        for (int i = 0; i < words.Length; i += Lanes)
        {
            Vector512<ulong> eight = Vector512.LoadUnsafe(ref word, (nuint)i);
            Vector512<ulong> number = (eight & Vector512.Create(MemoryReference.AddressMask)) >>> shift;
            Vector512<ulong> page = (number << 1) | one;
            Vector512<ulong> index = number & Vector512.Create(mask);
            Vector512<ulong> isFetch = Vector512.Equals(eight & Vector512.Create(KindMask), Vector512<ulong>.Zero);
            Vector512<ulong> store = (eight >>> (KindShift + 1)) & one;
            storesOfLane += store;
            Vector512<ulong> end = (eight & Vector512.Create(OffsetMask)) + (eight >>> SizeShift);
            uint crossing = (uint)Vector512.GreaterThan(end, Vector512.Create(PageBytes)).ExtractMostSignificantBits();
            fetches += BitOperations.PopCount((uint)isFetch.ExtractMostSignificantBits());
            for (uint left = 0xFF; ;)
            {
                Vector512<ulong> slot = Vector512.ConditionalSelect(
                    isFetch, Avx512F.PermuteVar8x64x2(fetch0, index, fetch1), Avx512F.PermuteVar8x64x2(data0, index, data1));
                uint changing = (uint)Vector512.GreaterThan((slot ^ page) + store, one).ExtractMostSignificantBits();
                changing = (changing | crossing) & left;
                if (changing == 0)
                {
                    break;
                }

                // The first of them changes a slot, and with it what those behind it find.
                int lane = BitOperations.TrailingZeroCount(changing);
                left = 0xFEu << lane;
                ulong bits = Unsafe.Add(ref word, i + lane);
                ulong fetch = (bits & KindMask) == 0 ? 1UL : 0;
                pass.Keep(bits, i + lane);
                (ulong at, ulong value) = Enter(ref slots, bits, fetch, (bits & MemoryReference.AddressMask) >> shift, mask);
                if ((crossing >> lane & 1) != 0)
                {
                    // The page entered first is read from memory again, for both may be in one vector.
                    (at, value) = Enter(ref slots, bits, fetch, LastPage(bits, shift), mask);
                    data0 = Vector512.LoadUnsafe(ref slots, 0);
                    data1 = Vector512.LoadUnsafe(ref slots, Lanes);
                    fetch0 = Vector512.LoadUnsafe(ref slots, Slots);
                    fetch1 = Vector512.LoadUnsafe(ref slots, Slots + Lanes);
                }
                else if (fetch != 0)
                {
                    fetch0 = Vector512.ConditionalSelect(Vector512.Equals(lanes, Vector512.Create(at)), Vector512.Create(value), fetch0);
                    fetch1 = Vector512.ConditionalSelect(Vector512.Equals(lanes, Vector512.Create(at - Lanes)), Vector512.Create(value), fetch1);
                }
                else
                {
                    data0 = Vector512.ConditionalSelect(Vector512.Equals(lanes, Vector512.Create(at)), Vector512.Create(value), data0);
                    data1 = Vector512.ConditionalSelect(Vector512.Equals(lanes, Vector512.Create(at - Lanes)), Vector512.Create(value), data1);
                }
            }
        }

        pass.Fetches += fetches;
        pass.Stores += (int)Vector512.Sum(storesOfLane);
    }

    /// <summary>Makes a page the last of its slot; returns the slot, from 0, and its new word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (ulong At, ulong Value) Enter(ref ulong slots, ulong bits, ulong fetch, ulong number, ulong mask)
    {
        ulong at = number & mask;
        ref ulong slot = ref Unsafe.Add(ref slots, (nint)(at + (fetch * Slots)));
        ulong kept = (slot ^ ((number << 1) | 1)) <= 1 ? slot : number << 1;
        slot = kept | ((bits >> (KindShift + 1)) & 1);
        return (at, slot);
    }

    private static ulong LastPage(ulong bits, int shift)
        => ((bits + (bits >> SizeShift) - 1) & MemoryReference.AddressMask) >> shift;

    /// <summary>What a pass over a segment has kept.</summary>
    private ref struct Pass
    {
        internal Span<ulong> Kept;
        internal Span<ushort> Positions;
        internal int Count;
        internal int Fetches;
        internal int Stores;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal void Keep(ulong bits, int position)
        {
            Kept[Count] = bits;
            Positions[Count] = (ushort)position;
            Count++;
        }
    }
}
