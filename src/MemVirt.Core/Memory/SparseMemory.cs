using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MemVirt.Core.Memory;

/// <summary>
/// Physical memory in which only the 4 KiB frames that are written cost anything; the others read as zero. Any thread may read, write
/// and replace words at any time. Addresses below 64 GiB are one range of this process's memory where the system allows that,
/// so that a table entry is one load away; those above, and all where it does not, are found frame by frame.
/// </summary>
public sealed unsafe class SparseMemory : IDisposable
{
    private const int FrameShift = 12;
    private const nuint FrameBytes = 1 << FrameShift;
    private const int FramesPerSlab = 256;
    private const ulong MaxFlatBytes = 1UL << 36;

    private readonly List<nint> _slabs = [];
    private readonly Stack<nint> _freeFrames = [];
    private readonly Lock _making = new();
    private readonly byte* _flat;
    private readonly ulong _flatBytes;
    private readonly byte* _zeroFrame;
    private readonly FrameMap _frames;
    private nint _slab;
    private int _slabUsed = FramesPerSlab;

    /// <summary>Memory of at most <paramref name="limitBytes"/>.</summary>
    /// <param name="limitBytes">The first address that cannot exist; at most 2^52.</param>
    public SparseMemory(ulong limitBytes = 1UL << 46)
        : this(limitBytes, MaxFlatBytes)
    {
    }

    /// <summary>Memory of which at most so much is one range; all of it is found frame by frame where that is 0.</summary>
    internal SparseMemory(ulong limitBytes, ulong maxFlatBytes)
    {
        LimitBytes = limitBytes;
        ulong flatBytes = Math.Min(limitBytes, maxFlatBytes) & ~(ulong)(FrameBytes - 1);
        _flat = flatBytes == 0 ? null : FlatRange.Reserve(flatBytes);
        _flatBytes = _flat is null ? 0 : flatBytes;
        _zeroFrame = (byte*)NativeMemory.AllocZeroed(FrameBytes);
        _frames = new FrameMap((ulong)_zeroFrame);
    }

    /// <summary>Releases the memory where <see cref="Dispose"/> was not called.</summary>
    ~SparseMemory() => Free();

    /// <summary>The first address that cannot exist.</summary>
    public ulong LimitBytes { get; }

    /// <summary>Reads the aligned 64-bit word at a physical address; 0 where nothing was ever written. One load below 64 GiB.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every table read: bench WalkBenchmarks
    public ulong Read(ulong address)
    {
        Debug.Assert((address & 7) == 0, "A word lies at a multiple of 8.");
        return address < _flatBytes ? Volatile.Read(ref *(ulong*)(_flat + address)) : ReadFrame(address);
    }

    /// <summary>Writes the aligned 64-bit word at a physical address.</summary>
    /// <exception cref="InvalidOperationException">The address lies past the limit.</exception>
    public void Write(ulong address, ulong value) => Volatile.Write(ref *WordAt(address), value);

    /// <summary>Sets bits of the aligned word at an address, atomically, and returns the new word.</summary>
    /// <exception cref="InvalidOperationException">The address lies past the limit.</exception>
    public ulong SetBits(ulong address, ulong bits) => Interlocked.Or(ref *WordAt(address), bits) | bits;

    /// <summary>Replaces the aligned word at an address where it still holds what is expected, atomically; returns whether it did.</summary>
    /// <exception cref="InvalidOperationException">The address lies past the limit.</exception>
    public bool TryReplace(ulong address, ulong expected, ulong replacement)
        => Interlocked.CompareExchange(ref *WordAt(address), replacement, expected) == expected;

    /// <summary>
    /// The bytes from a physical address to the end of its 4 KiB frame at most, to read and to write. Valid until the memory is disposed
    /// of. Concurrent use is the caller's affair.
    /// </summary>
    /// <param name="address">The first byte's physical address.</param>
    /// <param name="lengthBytes">How many, within the frame.</param>
    /// <exception cref="InvalidOperationException">The address lies past the limit.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The bytes reach beyond the frame.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // copies: bench GuestMemoryBenchmarks
    public Span<byte> InFrame(ulong address, int lengthBytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)lengthBytes, (uint)(FrameBytes - (address & (FrameBytes - 1))));
        return new Span<byte>(address < _flatBytes ? _flat + address : MakeFrame(address), lengthBytes);
    }

    /// <summary>The byte at a physical address, to read, and those up to the end of its frame. One compare below 64 GiB.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // bench GuestMemoryBenchmarks
    public ref readonly byte ToRead(ulong address)
        => ref *(address < _flatBytes ? _flat + address : (byte*)_frames[address >> FrameShift] + (address & (FrameBytes - 1)));

    /// <summary>The byte at a physical address, to write, and those up to the end of its frame. It does not move while the memory lives.</summary>
    /// <exception cref="InvalidOperationException">The address lies past the limit.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // bench GuestMemoryBenchmarks
    public ref byte ToWrite(ulong address) => ref *(address < _flatBytes ? _flat + address : MakeFrame(address));

    /// <summary>Moves on to the first frame above the flat range that was written, up to a last address; false where there is none.</summary>
    internal bool TryFindFrame(ref ulong address, ulong last)
    {
        ulong frame = Math.Max(address, _flatBytes) >> FrameShift;
        bool found = _frames.TryFindNext(ref frame, last >> FrameShift);
        address = frame << FrameShift;
        return found;
    }

    /// <summary>Forgets what a frame above the flat range holds. Nobody may use it meanwhile.</summary>
    internal void RemoveFrame(ulong address)
    {
        lock (_making)
        {
            var storage = (byte*)_frames[address >> FrameShift];
            if (storage != _zeroFrame)
            {
                _frames[address >> FrameShift] = (ulong)_zeroFrame;
                new Span<byte>(storage, (int)FrameBytes).Clear();
                _freeFrames.Push((nint)storage);
            }
        }
    }

    /// <summary>Releases the memory.</summary>
    public void Dispose()
    {
        Free();
        _frames.Dispose();
        GC.SuppressFinalize(this);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong* WordAt(ulong address)
    {
        Debug.Assert((address & 7) == 0, "A word lies at a multiple of 8.");
        return (ulong*)(address < _flatBytes ? _flat + address : MakeFrame(address));
    }

    // No call, so that a walk's values stay in registers on the way that is nearly always taken.
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // bench WalkBenchmarks
    private ulong ReadFrame(ulong address)
        => Volatile.Read(ref *(ulong*)((byte*)_frames[address >> FrameShift] + (address & (FrameBytes - 1))));

    /// <summary>Where an address above the flat range lies; its frame is made where it has none.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private byte* MakeFrame(ulong address)
    {
        ulong frame = address >> FrameShift;
        var storage = (byte*)_frames[frame];
        if (storage == _zeroFrame)
        {
            if (address >= LimitBytes)
            {
                Throw.OutOfPhysicalMemory(address, LimitBytes);
            }

            lock (_making)
            {
                storage = (byte*)_frames[frame];
                if (storage == _zeroFrame)
                {
                    storage = TakeFrame();
                    _frames[frame] = (ulong)storage;
                }
            }
        }

        return storage + (address & (FrameBytes - 1));
    }

    private byte* TakeFrame()
    {
        if (_freeFrames.TryPop(out nint free))
        {
            return (byte*)free;
        }

        if (_slabUsed == FramesPerSlab)
        {
            _slab = (nint)NativeMemory.AllocZeroed(FramesPerSlab, FrameBytes);
            _slabs.Add(_slab);
            _slabUsed = 0;
        }

        return (byte*)_slab + (_slabUsed++ * (int)FrameBytes);
    }

    private void Free()
    {
        FlatRange.Release(_flat, _flatBytes);
        NativeMemory.Free(_zeroFrame);
        foreach (nint slab in _slabs)
        {
            NativeMemory.Free((void*)slab);
        }

        _slabs.Clear();
    }
}
