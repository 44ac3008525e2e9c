using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MemVirt.Core.Memory;

/// <summary>
/// A word for each frame number, in the shape of page tables: leaves of 512 words, under directories of 512 leaves, under one array.
/// Leaves and directories exist only where a word was set, elsewhere the default is read. Costs eight bytes a frame within 2 MiB of one
/// in use, eight for each 2 MiB within 1 GiB of one, and sixteen for each 1 GiB below the highest. One thread may set words while
/// others read: what a reader may still hold is freed only with the map.
/// </summary>
internal sealed unsafe class FrameMap : IDisposable
{
    private const int Shift = 9;
    private const ulong Words = 1UL << Shift;
    private const ulong Low = Words - 1;
    private readonly ulong* _defaultLeaf;
    private readonly ulong** _defaultDirectory;
    private readonly ulong _defaultWord;
    private readonly List<nint> _outgrown = [];
    private ulong*** _directories;
    private ulong _directoryCount;

    internal FrameMap(ulong defaultWord)
    {
        _defaultWord = defaultWord;
        _defaultLeaf = (ulong*)NewTable(defaultWord);
        _defaultDirectory = (ulong**)NewTable((ulong)_defaultLeaf);
        Grow(16);
    }

    ~FrameMap() => Free();

    /// <summary>Bytes in use.</summary>
    internal ulong Bytes { get; private set; }

    /// <summary>The word of a frame. Three dependent loads.</summary>
    internal ulong this[ulong frame]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] // every table read: bench WalkBenchmarks
        get
        {
            ulong directory = frame >> (2 * Shift);
            return directory < Volatile.Read(ref _directoryCount)
                ? _directories[directory][(frame >> Shift) & Low][frame & Low]
                : _defaultWord;
        }

        set
        {
            ulong directory = frame >> (2 * Shift);
            if (directory >= _directoryCount)
            {
                Grow(directory + 1);
            }

            if (_directories[directory] == _defaultDirectory)
            {
                Volatile.Write(ref *(nint*)(_directories + directory), NewTable((ulong)_defaultLeaf));
            }

            ulong** leaf = _directories[directory] + ((frame >> Shift) & Low);
            if (*leaf == _defaultLeaf)
            {
                var fresh = (ulong*)NewTable(_defaultWord);
                fresh[frame & Low] = value;
                Volatile.Write(ref *(nint*)leaf, (nint)fresh);
                return;
            }

            Volatile.Write(ref (*leaf)[frame & Low], value);
        }
    }

    /// <summary>
    /// Moves on to the first frame from the given one to the last whose word is not the default; false where there is none. Passes over
    /// 1 GiB, and 2 MiB, without any in one step.
    /// </summary>
    internal bool TryFindNext(ref ulong frame, ulong last)
    {
        while (frame <= last && frame >> (2 * Shift) < _directoryCount)
        {
            ulong** leaves = _directories[frame >> (2 * Shift)];
            ulong* leaf = leaves[(frame >> Shift) & Low];
            if (leaves == _defaultDirectory)
            {
                frame = ((frame >> (2 * Shift)) + 1) << (2 * Shift);
            }
            else if (leaf == _defaultLeaf)
            {
                frame = ((frame >> Shift) + 1) << Shift;
            }
            else if (leaf[frame & Low] != _defaultWord)
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

    /// <summary>A leaf or a directory, filled with one word.</summary>
    private nint NewTable(ulong word)
    {
        var table = (ulong*)NativeMemory.Alloc((nuint)Words, sizeof(ulong));
        new Span<ulong>(table, (int)Words).Fill(word);
        Bytes += Words * sizeof(ulong);
        return (nint)table;
    }

    private void Grow(ulong directories)
    {
        ulong count = Math.Max(directories, _directoryCount * 2);
        var grown = (ulong***)NativeMemory.Alloc((nuint)count, (nuint)sizeof(ulong**));
        Bytes += count * (ulong)sizeof(ulong**);
        for (ulong directory = 0; directory < count; directory++)
        {
            grown[directory] = directory < _directoryCount ? _directories[directory] : _defaultDirectory;
        }

        if (_directories is not null)
        {
            _outgrown.Add((nint)_directories);
        }

        // In this order, so that a reader which sees the new count sees directories enough.
        _directories = grown;
        Volatile.Write(ref _directoryCount, count);
    }

    private void Free()
    {
        for (ulong directory = 0; directory < _directoryCount; directory++)
        {
            FreeDirectory(_directories[directory]);
        }

        _directoryCount = 0;
        NativeMemory.Free(_directories);
        foreach (nint outgrown in _outgrown)
        {
            NativeMemory.Free((void*)outgrown);
        }

        _outgrown.Clear();
        _directories = null;
        NativeMemory.Free(_defaultDirectory);
        NativeMemory.Free(_defaultLeaf);
    }

    private void FreeDirectory(ulong** leaves)
    {
        if (leaves == _defaultDirectory)
        {
            return;
        }

        for (ulong leaf = 0; leaf < Words; leaf++)
        {
            if (leaves[leaf] != _defaultLeaf)
            {
                NativeMemory.Free(leaves[leaf]);
            }
        }

        NativeMemory.Free(leaves);
    }
}
