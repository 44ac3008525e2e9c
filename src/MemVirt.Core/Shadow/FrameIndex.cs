namespace MemVirt.Core.Shadow;

/// <summary>
/// Finds shadow pages by their guest frame: a chained hash over their indices, several to a frame (KVM's mmu_page_hash). The pages themselves
/// hold the frames and the chains, so that it takes 4 to 8 bytes a page. Allocates only to grow.
/// </summary>
internal sealed class FrameIndex
{
    private const int None = -1;
    private const ulong Golden = 0x9E37_79B9_7F4A_7C15;
    private int[] _buckets;
    private int _shift;

    internal FrameIndex()
    {
        _buckets = new int[64];
        _shift = 64 - 6;
        Array.Fill(_buckets, None);
    }

    /// <summary>Bytes in use.</summary>
    internal long Bytes => (long)_buckets.Length * sizeof(int);

    /// <summary>The first page whose guest frame hashes as one does, or −1; the others follow by <see cref="ShadowPage.NextOfBucket"/>.</summary>
    internal int FirstOfBucket(ulong frame) => _buckets[BucketOf(frame)];

    /// <summary>The first page of a guest frame, or −1. One load where its bucket is empty.</summary>
    internal int First(ShadowPage[] pages, ulong frame) => Find(pages, _buckets[BucketOf(frame)], frame);

    /// <summary>The next page of the same guest frame, or −1.</summary>
    internal static int Next(ShadowPage[] pages, int index) => Find(pages, pages[index].NextOfBucket, pages[index].GuestFrame);

    /// <summary>Adds a page that is not here.</summary>
    internal void Add(ShadowPage[] pages, int index)
    {
        if (index >= _buckets.Length)
        {
            Grow(pages);
        }

        ref int bucket = ref _buckets[BucketOf(pages[index].GuestFrame)];
        (pages[index].NextOfBucket, bucket) = (bucket, index);
    }

    /// <summary>Removes a page that is here.</summary>
    internal void Remove(ShadowPage[] pages, int index)
    {
        ref int place = ref _buckets[BucketOf(pages[index].GuestFrame)];
        while (place != index)
        {
            place = ref pages[place].NextOfBucket;
        }

        place = pages[index].NextOfBucket;
        pages[index].NextOfBucket = None;
    }

    private static int Find(ShadowPage[] pages, int index, ulong frame)
    {
        while (index >= 0 && pages[index].GuestFrame != frame)
        {
            index = pages[index].NextOfBucket;
        }

        return index;
    }

    private int BucketOf(ulong frame) => (int)((frame * Golden) >> _shift);

    /// <summary>Twice the buckets; the chains are taken apart bucket by bucket.</summary>
    private void Grow(ShadowPage[] pages)
    {
        int[] old = _buckets;
        _buckets = new int[old.Length * 2];
        _shift--;
        Array.Fill(_buckets, None);
        foreach (int first in old)
        {
            for (int index = first; index >= 0;)
            {
                int rest = pages[index].NextOfBucket;
                ref int bucket = ref _buckets[BucketOf(pages[index].GuestFrame)];
                (pages[index].NextOfBucket, bucket) = (bucket, index);
                index = rest;
            }
        }
    }
}
