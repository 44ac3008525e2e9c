using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MemVirt.Simulation.Traces;

/// <summary>
/// What a trace consists of, counted as it goes by: some tenths of a nanosecond a reference, no allocation but for the
/// footprint's growth.
/// </summary>
public sealed class TraceStatistics
{
    private const int KindShift = 48;
    private const int SizeShift = 50;
    private const int PageShift = 12;
    private const ulong OffsetMask = (1UL << PageShift) - 1;

    private readonly PageSet _pages = new();

    /// <summary>References counted.</summary>
    public long References { get; private set; }

    /// <summary>Instruction fetches among them.</summary>
    public long InstructionFetches => References - Loads - Stores;

    /// <summary>Loads among them.</summary>
    public long Loads { get; private set; }

    /// <summary>Stores among them.</summary>
    public long Stores { get; private set; }

    /// <summary>References whose first and last byte lie in different 4 KiB pages.</summary>
    public long Crossings { get; private set; }

    /// <summary>4 KiB pages that hold the first or the last byte of a reference.</summary>
    public long DistinctPages4k => _pages.Count;

    /// <summary>Counts references.</summary>
    public void Add(ReadOnlySpan<MemoryReference> references)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<MemoryReference, ulong>(references);
        References += words.Length;
        int whole = 0;
        if (Vector256.IsHardwareAccelerated)
        {
            whole = words.Length & ~(Vector256<ulong>.Count - 1);
            CountVectors(words[..whole]);
        }

        CountScalar(words[whole..]);
        _pages.AddPagesOf(words);
    }

    /// <summary>
    /// Counts references of which only some are given, among them the first to each 4 KiB page and all that cross pages.
    /// </summary>
    internal void Add(int references, int fetches, int stores, ReadOnlySpan<MemoryReference> kept)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<MemoryReference, ulong>(kept);
        References += references;
        Stores += stores;
        Loads += references - fetches - stores;
        foreach (MemoryReference reference in kept)
        {
            Crossings += reference.CrossesPage ? 1 : 0;
        }

        AddLastPages(words);
        _pages.AddPagesOf(words);
    }

    /// <summary>Four references at a time, one a lane; equals <see cref="CountScalar"/>.</summary>
    private void CountVectors(ReadOnlySpan<ulong> words)
    {
        Vector256<ulong> kinds = default;
        Vector256<ulong> stores = default;
        Vector256<ulong> crossings = default;
        ref ulong start = ref MemoryMarshal.GetReference(words);
        for (nuint i = 0; i < (nuint)words.Length; i += (nuint)Vector256<ulong>.Count)
        {
            Vector256<ulong> four = Vector256.LoadUnsafe(ref start, i);
            Vector256<ulong> kind = (four >>> KindShift) & Vector256.Create(3UL);
            kinds += kind;
            stores += kind >>> 1;

            // Comparison gives minus one a lane where it holds.
            Vector256<ulong> end = (four & Vector256.Create(OffsetMask)) + (four >>> SizeShift);
            Vector256<ulong> crosses = Vector256.GreaterThan(end.AsInt64(), Vector256.Create(1L << PageShift)).AsUInt64();
            if (crosses != Vector256<ulong>.Zero)
            {
                crossings -= crosses;
                AddLastPages(words.Slice((int)i, Vector256<ulong>.Count));
            }
        }

        // A load counts 1 in kinds, a store 2.
        long storeCount = (long)Vector256.Sum(stores);
        Stores += storeCount;
        Loads += (long)Vector256.Sum(kinds) - (2 * storeCount);
        Crossings += (long)Vector256.Sum(crossings);
    }

    private void CountScalar(ReadOnlySpan<ulong> words)
    {
        foreach (ulong word in words)
        {
            var reference = MemoryReference.FromBits(word);
            Loads += reference.Kind == ReferenceKind.Load ? 1 : 0;
            Stores += reference.Kind == ReferenceKind.Store ? 1 : 0;
            Crossings += reference.CrossesPage ? 1 : 0;
        }

        AddLastPages(words);
    }

    private void AddLastPages(ReadOnlySpan<ulong> words)
    {
        foreach (ulong word in words)
        {
            _pages.Add(((word + (word >> SizeShift) - 1) & MemoryReference.AddressMask) >> PageShift);
        }
    }
}
