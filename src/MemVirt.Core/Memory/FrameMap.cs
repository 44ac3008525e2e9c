using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MemVirt.Core.Memory;

/// <summary>
/// A word for each frame number, in two levels: leaves of 4,096 words exist only where one was set, elsewhere the default is
/// read. Costs eight bytes a frame within 16 MiB of one in use, and twice eight bytes for each 16 MiB below the highest. One
/// thread may set words while others read: what a reader may still hold is freed only with the map.
/// </summary>
internal sealed unsafe class FrameMap : IDisposable
{
    private const int LeafShift = 12;
    private const ulong LeafWords = 1UL << LeafShift;
    private readonly ulong* _defaultLeaf;
    private readonly ulong _defaultWord;
    private readonly List<nint> _outgrown = [];
    private ulong** _leaves;
    private ulong _leafCount;

    internal FrameMap(ulong defaultWord)
    {
        _defaultWord = defaultWord;
        _defaultLeaf = NewLeaf();
        Grow(64);
    }

    ~FrameMap() => Free();

    /// <summary>The word of a frame. Two dependent loads.</summary>
    internal ulong this[ulong frame]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] // every table read: bench WalkBenchmarks
        get
        {
            ulong leaf = frame >> LeafShift;
            return leaf < Volatile.Read(ref _leafCount) ? _leaves[leaf][frame & (LeafWords - 1)] : _defaultWord;
        }

        set
        {
            ulong leaf = frame >> LeafShift;
            if (leaf >= _leafCount)
            {
                Grow(leaf + 1);
            }

            if (_leaves[leaf] == _defaultLeaf)
            {
                ulong* fresh = NewLeaf();
                fresh[frame & (LeafWords - 1)] = value;
                Volatile.Write(ref *(nint*)(_leaves + leaf), (nint)fresh);
                return;
            }

            Volatile.Write(ref _leaves[leaf][frame & (LeafWords - 1)], value);
        }
    }

    /// <summary>
    /// Moves on to the first frame from the given one to the last whose word is not the default; false where there is none. Passes over
    /// 16 MiB without any in one step.
    /// </summary>
    internal bool TryFindNext(ref ulong frame, ulong last)
    {
        while (frame <= last && frame >> LeafShift < _leafCount)
        {
            ulong* leaf = _leaves[frame >> LeafShift];
            if (leaf == _defaultLeaf)
            {
                frame = ((frame >> LeafShift) + 1) << LeafShift;
            }
            else if (leaf[frame & (LeafWords - 1)] != _defaultWord)
            {
                return true;
            }
            else
            {
                frame++;
            }
        }

        return false;
    }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private ulong* NewLeaf()
    {
        var leaf = (ulong*)NativeMemory.Alloc((nuint)LeafWords, sizeof(ulong));
        new Span<ulong>(leaf, (int)LeafWords).Fill(_defaultWord);
        return leaf;
    }

    private void Grow(ulong leaves)
    {
        ulong count = Math.Max(leaves, _leafCount * 2);
        var grown = (ulong**)NativeMemory.Alloc((nuint)count, (nuint)sizeof(ulong*));
        for (ulong leaf = 0; leaf < count; leaf++)
        {
            grown[leaf] = leaf < _leafCount ? _leaves[leaf] : _defaultLeaf;
        }

        if (_leaves is not null)
        {
            _outgrown.Add((nint)_leaves);
        }

        // In this order, so that a reader which sees the new count sees leaves enough.
        _leaves = grown;
        Volatile.Write(ref _leafCount, count);
    }

    private void Free()
    {
        for (ulong leaf = 0; leaf < _leafCount; leaf++)
        {
            if (_leaves[leaf] != _defaultLeaf)
            {
                NativeMemory.Free(_leaves[leaf]);
            }
        }

        _leafCount = 0;
        NativeMemory.Free(_leaves);
        foreach (nint outgrown in _outgrown)
        {
            NativeMemory.Free((void*)outgrown);
        }

        _outgrown.Clear();
        _leaves = null;
        NativeMemory.Free(_defaultLeaf);
    }
}
