using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MemVirt.Core.Memory;

/// <summary>
/// Physical memory in which only the frames that are written exist: one pointer a 4 KiB frame, eight bytes a frame of address
/// space in use. Frames that do not exist read as zero. A frame's storage can be shared by two address spaces
/// (<see cref="Alias"/>), as a guest's page and the host page behind it are.
/// </summary>
public sealed unsafe class SparseMemory : IDisposable
{
    private const int FrameShift = 12;
    private const nuint FrameBytes = 1 << FrameShift;
    private const int FramesPerSlab = 256;

    private readonly SparseMemory? _storage;
    private readonly List<nint> _slabs = [];
    private readonly byte* _zeroFrame;
    private byte** _frames;
    private ulong _frameCount;
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
        Grow(Math.Min(1024, limitBytes >> FrameShift));
    }

    /// <summary>Releases the memory where <see cref="Dispose"/> was not called.</summary>
    ~SparseMemory() => Free();

    /// <summary>The first address that cannot exist.</summary>
    public ulong LimitBytes { get; }

    /// <summary>Reads the aligned 64-bit word at a physical address; 0 where the frame does not exist. Two dependent loads.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every table read: bench WalkBenchmarks
    public ulong Read(ulong address)
    {
        ulong frame = address >> FrameShift;
        return frame < _frameCount ? *(ulong*)(_frames[frame] + (address & (FrameBytes - 8))) : 0;
    }

    /// <summary>Writes the aligned 64-bit word at a physical address of a frame that exists.</summary>
    /// <exception cref="InvalidOperationException">The frame does not exist.</exception>
    public void Write(ulong address, ulong value) => *Pointer(address) = value;

    /// <summary>Sets bits of the word at an address of a frame that exists, atomically, and returns the new word.</summary>
    /// <exception cref="InvalidOperationException">The frame does not exist.</exception>
    public ulong SetBits(ulong address, ulong bits) => Interlocked.Or(ref *Pointer(address), bits) | bits;

    /// <summary>Makes the frame of an address exist, zeroed, and returns its storage; harmless where it exists.</summary>
    public nint EnsureFrame(ulong address)
    {
        ulong frame = address >> FrameShift;
        if (frame >= _frameCount)
        {
            Grow(frame + 1);
        }

        if (_frames[frame] == _zeroFrame)
        {
            _frames[frame] = (byte*)(_storage ?? this).TakeFrame();
        }

        return (nint)_frames[frame];
    }

    /// <summary>The storage of an address's frame, or 0 where it does not exist.</summary>
    public nint StorageOf(ulong address)
    {
        ulong frame = address >> FrameShift;
        return frame < _frameCount && _frames[frame] != _zeroFrame ? (nint)_frames[frame] : 0;
    }

    /// <summary>Lets a frame stand for storage that belongs to other memory.</summary>
    public void Alias(ulong address, nint storage)
    {
        ulong frame = address >> FrameShift;
        if (frame >= _frameCount)
        {
            Grow(frame + 1);
        }

        _frames[frame] = (byte*)storage;
    }

    /// <summary>Releases the memory.</summary>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private ulong* Pointer(ulong address)
    {
        ulong frame = address >> FrameShift;
        if (frame >= _frameCount || _frames[frame] == _zeroFrame)
        {
            Throw.FrameAbsent(address);
        }

        return (ulong*)(_frames[frame] + (address & (FrameBytes - 8)));
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

    private void Grow(ulong frames)
    {
        if (frames > LimitBytes >> FrameShift)
        {
            Throw.OutOfPhysicalMemory(frames << FrameShift, LimitBytes);
        }

        ulong count = Math.Max(frames, _frameCount * 2);
        _frames = (byte**)NativeMemory.Realloc(_frames, (nuint)count * (nuint)sizeof(byte*));
        for (ulong frame = _frameCount; frame < count; frame++)
        {
            _frames[frame] = _zeroFrame;
        }

        _frameCount = count;
    }

    private void Free()
    {
        NativeMemory.Free(_frames);
        _frames = null;
        _frameCount = 0;
        NativeMemory.Free(_zeroFrame);
        foreach (nint slab in _slabs)
        {
            NativeMemory.Free((void*)slab);
        }

        _slabs.Clear();
    }
}
