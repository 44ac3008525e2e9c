namespace MemVirt.Core.Shadow;

/// <summary>
/// Finds shadow pages by a frame: a chained hash over their indices, several to a frame (KVM's mmu_page_hash). Memory: at most 23
/// bytes an index, 12 of them set aside a quarter ahead. Allocates only to grow.
/// </summary>
internal sealed class FrameIndex
{
    private const int None = -1;
    private const ulong Golden = 0x9E37_79B9_7F4A_7C15;
    private int[] _buckets;
    private ulong[] _frames = new ulong[64];
    private int[] _next = new int[64];
    private int _shift;

    internal FrameIndex()
    {
        _buckets = new int[64];
        _shift = 64 - 6;
        Array.Fill(_buckets, None);
    }

    /// <summary>Bytes in use.</summary>
    internal long Bytes => ((long)_buckets.Length * sizeof(int)) + ((long)_frames.Length * (sizeof(ulong) + sizeof(int)));

    /// <summary>The first index of a frame, or −1. One load where its bucket is empty.</summary>
    internal int First(ulong frame) => Find(_buckets[BucketOf(frame)], frame);

    /// <summary>The next index of the same frame, or −1.</summary>
    internal int Next(int index) => Find(_next[index], _frames[index]);

    /// <summary>Adds an index that is not here.</summary>
    internal void Add(ulong frame, int index)
    {
        if (index >= _frames.Length)
        {
            int room = index + 1 + (index / 4);
            Array.Resize(ref _frames, room);
            Array.Resize(ref _next, room);
        }

        if (index >= _buckets.Length)
        {
            Grow();
        }

        ref int bucket = ref _buckets[BucketOf(frame)];
        (_frames[index], _next[index]) = (frame, bucket);
        bucket = index;
    }

    /// <summary>Removes an index that is here.</summary>
    internal void Remove(int index)
    {
        ref int place = ref _buckets[BucketOf(_frames[index])];
        while (place != index)
        {
            place = ref _next[place];
        }

        place = _next[index];
        _next[index] = None;
    }

    private int BucketOf(ulong frame) => (int)((frame * Golden) >> _shift);

    private int Find(int index, ulong frame)
    {
        while (index >= 0 && _frames[index] != frame)
        {
            index = _next[index];
        }

        return index;
    }

    /// <summary>Twice the buckets; the chains are taken apart bucket by bucket.</summary>
    private void Grow()
    {
        int[] old = _buckets;
        _buckets = new int[old.Length * 2];
        _shift--;
        Array.Fill(_buckets, None);
        foreach (int first in old)
        {
            for (int index = first; index >= 0;)
            {
                int rest = _next[index];
                ref int bucket = ref _buckets[BucketOf(_frames[index])];
                (_next[index], bucket) = (bucket, index);
                index = rest;
            }
        }
    }
}
