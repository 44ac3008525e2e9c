using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MemVirt.Core.Memory;

/// <summary>
/// Physical memory in which only the 4 KiB frames that are written exist. Frames that do not exist read as zero. A frame's
/// storage can be shared by two address spaces (<see cref="Alias"/>), as a guest's page and the host page behind it are.
/// Words may be read, written and replaced by any thread at any time; frames may be made by one thread at a time meanwhile.
/// </summary>
public sealed unsafe class SparseMemory : IDisposable
{
    private const int FrameShift = 12;
    private const nuint FrameBytes = 1 << FrameShift;
    private const int FramesPerSlab = 256;

    private readonly SparseMemory? _storage;
    private readonly List<nint> _slabs = [];
    private readonly byte* _zeroFrame;
    private readonly FrameMap _frames;
    private nint _slab;
    private int _slabUsed = FramesPerSlab;

    /// <summary>Memory of at most <paramref name="limitBytes"/>.</summary>
    /// <param name="limitBytes">The first address that cannot exist; at most 2^52.</param>
    /// <param name="storage">Memory whose slabs new frames come from; null for slabs of its own. It must outlive this one.</param>
    public SparseMemory(ulong limitBytes = 1UL << 46, SparseMemory? storage = null)
    {
        LimitBytes = limitBytes;
        _storage = storage;
        _zeroFrame = (byte*)NativeMemory.AllocZeroed(FrameBytes);
        _frames = new FrameMap((ulong)_zeroFrame);
    }

    /// <summary>Releases the memory where <see cref="Dispose"/> was not called.</summary>
    ~SparseMemory() => Free();

    /// <summary>The first address that cannot exist.</summary>
    public ulong LimitBytes { get; }

    /// <summary>Reads the aligned 64-bit word at a physical address; 0 where the frame does not exist. Three dependent loads.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every table read: bench WalkBenchmarks
    public ulong Read(ulong address) => Volatile.Read(ref *(ulong*)((byte*)_frames[address >> FrameShift] + (address & (FrameBytes - 8))));

    /// <summary>Writes the aligned 64-bit word at a physical address of a frame that exists.</summary>
    /// <exception cref="InvalidOperationException">The frame does not exist.</exception>
    public void Write(ulong address, ulong value) => Volatile.Write(ref *Pointer(address), value);

    /// <summary>Sets bits of the word at an address of a frame that exists, atomically, and returns the new word.</summary>
    /// <exception cref="InvalidOperationException">The frame does not exist.</exception>
    public ulong SetBits(ulong address, ulong bits) => Interlocked.Or(ref *Pointer(address), bits) | bits;

    /// <summary>Replaces the word at an address by another where it still holds what is expected, atomically; returns whether it did.</summary>
    /// <exception cref="InvalidOperationException">The frame does not exist.</exception>
    public bool TryReplace(ulong address, ulong expected, ulong replacement)
        => Interlocked.CompareExchange(ref *Pointer(address), replacement, expected) == expected;

    /// <summary>Makes the frame of an address exist, zeroed, and returns its storage; harmless where it exists.</summary>
    /// <exception cref="InvalidOperationException">The address lies past the limit.</exception>
    public nint EnsureFrame(ulong address)
    {
        nint storage = StorageOf(address);
        if (storage == 0)
        {
            storage = (_storage ?? this).TakeFrame();
            Alias(address, storage);
        }

        return storage;
    }

    /// <summary>The storage of an address's frame, or 0 where it does not exist.</summary>
    public nint StorageOf(ulong address)
    {
        var storage = (byte*)_frames[address >> FrameShift];
        return storage == _zeroFrame ? 0 : (nint)storage;
    }

    /// <summary>Lets a frame stand for storage that belongs to other memory.</summary>
    /// <exception cref="InvalidOperationException">The address lies past the limit.</exception>
    public void Alias(ulong address, nint storage)
    {
        if (address >= LimitBytes)
        {
            Throw.OutOfPhysicalMemory(address, LimitBytes);
        }

        _frames[address >> FrameShift] = (ulong)storage;
    }

    /// <summary>Releases the memory.</summary>
    public void Dispose()
    {
        Free();
        _frames.Dispose();
        GC.SuppressFinalize(this);
    }

    private ulong* Pointer(ulong address)
    {
        nint storage = StorageOf(address);
        if (storage == 0)
        {
            Throw.FrameAbsent(address);
        }

        return (ulong*)(storage + (nint)(address & (FrameBytes - 8)));
    }

    private nint TakeFrame()
    {
        if (_slabUsed == FramesPerSlab)
        {
            _slab = (nint)NativeMemory.AllocZeroed(FramesPerSlab, FrameBytes);
            _slabs.Add(_slab);
            _slabUsed = 0;
        }

        return _slab + (_slabUsed++ * (int)FrameBytes);
    }

    private void Free()
    {
        NativeMemory.Free(_zeroFrame);
        foreach (nint slab in _slabs)
        {
            NativeMemory.Free((void*)slab);
        }

        _slabs.Clear();
    }
}
