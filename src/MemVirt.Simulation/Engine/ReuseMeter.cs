using System.Numerics;
using System.Runtime.InteropServices;
using MemVirt.Core.Addresses;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Engine;

/// <summary>
/// Measures page-reuse distances exactly (Bennett and Kruskal 1975): a bit for the last use of each page, in the order of uses; the bits
/// after a page's own are the pages used since. Bits are counted through a Fenwick tree over words.
/// </summary>
internal sealed class ReuseMeter(PageSize pageSize)
{
    private const int WordBits = 64;
    private const int Buckets = 64;
    private readonly int _shift = pageSize.SizeLog2();
    private readonly Dictionary<ulong, int> _lastUse = [];
    private readonly long[] _distances = new long[Buckets];
    private ulong[] _live = new ulong[1 << 12];
    private int[] _tree = new int[(1 << 12) + 1];
    private int _now;
    private ulong _latest = ulong.MaxValue;
    private long _uses;
    private long _firstUses;

    /// <summary>Takes a batch in.</summary>
    internal void Add(ReferenceBatch batch)
    {
        foreach (BatchSegment segment in batch.Segments)
        {
            ulong process = (ulong)segment.Process << 48;
            foreach (MemoryReference reference in batch.Of(segment))
            {
                Use(process | (reference.LinearAddress48 >> _shift));
                if (reference.CrossesPage)
                {
                    Use(process | ((reference.LinearAddress48 + (ulong)reference.SizeBytes - 1) >> _shift));
                }
            }

            if (segment.EndsWarmup)
            {
                Array.Clear(_distances);
                _uses = _firstUses = 0;
            }
        }
    }

    /// <summary>What was measured since the warm-up.</summary>
    internal ReuseDistances Result()
    {
        int last = Array.FindLastIndex(_distances, count => count > 0);
        return new ReuseDistances(PageSizeNames.Of(pageSize), _uses, _firstUses, _distances[..(last + 1)]);
    }

    private void Use(ulong page)
    {
        _uses++;
        if (page == _latest)
        {
            _distances[0]++;
            return;
        }

        _latest = page;
        if (_now == _live.Length * WordBits)
        {
            Compact();
        }

        ref int last = ref CollectionsMarshal.GetValueRefOrAddDefault(_lastUse, page, out bool isKnown);
        if (isKnown)
        {
            int distance = _lastUse.Count - UpTo(last);
            _distances[BitOperations.Log2((uint)distance) + 1]++;
            Change(last, -1);
        }
        else
        {
            _firstUses++;
        }

        last = _now++;
        Change(last, 1);
    }

    /// <summary>Live bits up to a use, itself included.</summary>
    private int UpTo(int use)
    {
        int word = use / WordBits;
        int count = BitOperations.PopCount(_live[word] << (WordBits - 1 - (use % WordBits)));
        for (int node = word; node > 0; node &= node - 1)
        {
            count += _tree[node];
        }

        return count;
    }

    private void Change(int use, int by)
    {
        _live[use / WordBits] ^= 1UL << use;
        for (int node = (use / WordBits) + 1; node < _tree.Length; node += node & -node)
        {
            _tree[node] += by;
        }
    }

    /// <summary>Numbers the last uses anew from 0, in their order, with room for as many again.</summary>
    private void Compact()
    {
        ulong[] pages = [.. _lastUse.OrderBy(pair => pair.Value).Select(pair => pair.Key)];
        int words = Math.Max(1 << 12, (int)BitOperations.RoundUpToPowerOf2((uint)((pages.Length / WordBits) + 1)) * 4);
        _live = new ulong[words];
        _tree = new int[words + 1];
        _now = 0;
        foreach (ulong page in pages)
        {
            _lastUse[page] = _now;
            Change(_now++, 1);
        }
    }
}
