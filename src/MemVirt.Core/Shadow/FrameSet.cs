namespace MemVirt.Core.Shadow;

/// <summary>A set of guest frames, one bit each, as large as the highest frame added.</summary>
internal sealed class FrameSet
{
    private ulong[] _words = new ulong[64];

    /// <summary>Adds the frames of a page of a level.</summary>
    internal void Add(ulong gpa, int level)
    {
        (ulong first, ulong count) = FramesOf(gpa, level);
        ulong last = (first + count - 1) >> 6;
        if (last >= (ulong)_words.Length)
        {
            Array.Resize(ref _words, checked((int)Math.Max(last + 1, (ulong)_words.Length * 2)));
        }

        for (ulong frame = first; frame < first + count; frame++)
        {
            _words[frame >> 6] |= 1UL << (int)frame;
        }
    }

    /// <summary>Whether any frame of a page of a level is in the set.</summary>
    internal bool ContainsAny(ulong gpa, int level)
    {
        (ulong first, ulong count) = FramesOf(gpa, level);
        for (ulong frame = first; frame < first + count && frame >> 6 < (ulong)_words.Length; frame++)
        {
            if ((_words[frame >> 6] & (1UL << (int)frame)) != 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Removes one frame.</summary>
    internal void Remove(ulong gpa)
    {
        ulong frame = gpa >> 12;
        if (frame >> 6 < (ulong)_words.Length)
        {
            _words[frame >> 6] &= ~(1UL << (int)frame);
        }
    }

    private static (ulong First, ulong Count) FramesOf(ulong gpa, int level)
        => (gpa >> 12 >> (9 * level) << (9 * level), 1UL << (9 * level));
}
