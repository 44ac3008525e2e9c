using System.Numerics;

namespace MemVirt.Simulation.Traces.Mvt;

/// <summary>
/// The writer's phrases of one chapter, found by content: two are the same when their kinds and sizes and the addresses of
/// their fetches are; where data lies is not part of a phrase. Fixed memory.
/// </summary>
internal sealed class PhraseBook
{
    private const ulong HashFactor = 0x9E3779B97F4A7C15;
    private const int BucketsLog2 = 17;

    private readonly ulong[] _cells = new ulong[MvtFormat.MaxPhraseBookReferences];
    private readonly ulong[] _lastAddresses = new ulong[MvtFormat.MaxPhraseBookReferences];
    private readonly int[] _starts = new int[MvtFormat.MaxPhrases + 1];
    private readonly int[] _buckets = new int[1 << BucketsLog2];

    /// <summary>Phrases held.</summary>
    public int Count { get; private set; }

    /// <summary>Whether a phrase of any length may still be added.</summary>
    public bool HasRoom
        => Count < MvtFormat.MaxPhrases && _starts[Count] + MvtFormat.PhraseReferences <= MvtFormat.MaxPhraseBookReferences;

    /// <summary>A word of which two equal ones stand for references that are alike within a phrase.</summary>
    public static ulong CellOf(MemoryReference reference)
        => reference.Kind == ReferenceKind.Fetch ? reference.Bits : reference.Bits & ~MemoryReference.AddressMask;

    /// <summary>The number of the phrase, or minus one where it is not held.</summary>
    public int Find(ReadOnlySpan<ulong> cells)
    {
        for (int bucket = BucketOf(cells); _buckets[bucket] != 0; bucket = (bucket + 1) & (_buckets.Length - 1))
        {
            int phrase = _buckets[bucket] - 1;
            if (_cells.AsSpan(_starts[phrase].._starts[phrase + 1]).SequenceEqual(cells))
            {
                return phrase;
            }
        }

        return -1;
    }

    /// <summary>Adds a phrase that <see cref="Find"/> did not find; its data are first expected at <paramref name="lastData"/>.</summary>
    public int Add(ReadOnlySpan<ulong> cells, ulong lastData)
    {
        int phrase = Count++;
        int start = _starts[phrase];
        cells.CopyTo(_cells.AsSpan(start));
        _lastAddresses.AsSpan(start, cells.Length).Fill(lastData);
        _starts[phrase + 1] = start + cells.Length;

        int bucket = BucketOf(cells);
        while (_buckets[bucket] != 0)
        {
            bucket = (bucket + 1) & (_buckets.Length - 1);
        }

        _buckets[bucket] = phrase + 1;
        return phrase;
    }

    /// <summary>Where each reference of the phrase lay the last time; those of fetches mean nothing.</summary>
    public Span<ulong> LastAddresses(int phrase) => _lastAddresses.AsSpan(_starts[phrase].._starts[phrase + 1]);

    /// <summary>Forgets all phrases.</summary>
    public void Clear()
    {
        Count = 0;
        Array.Clear(_buckets);
    }

    private static int BucketOf(ReadOnlySpan<ulong> cells)
    {
        ulong hash = (ulong)cells.Length;
        foreach (ulong cell in cells)
        {
            hash = (BitOperations.RotateLeft(hash, 23) ^ cell) * HashFactor;
        }

        return (int)(hash >> (64 - BucketsLog2));
    }
}
