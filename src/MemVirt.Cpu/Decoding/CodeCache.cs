using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using MemVirt.Core;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Memory;

namespace MemVirt.Cpu.Decoding;

/// <summary>
/// Decoded blocks by the host-physical address of their first byte. Frames that hold code are watched: their first write comes here and
/// forgets what was decoded of them. When the space for operations is used up, everything is forgotten.
/// </summary>
internal sealed unsafe class CodeCache : IDisposable
{
    /// <summary>Part of a block's key: 64-bit mode.</summary>
    public const ulong LongMode = 1UL << 60;

    /// <summary>Part of a block's key: operands and addresses have 32 bits.</summary>
    public const ulong Default32 = 1UL << 61;

    /// <summary>Part of a block's key: it holds one instruction, TF is set.</summary>
    public const ulong SingleStep = 1UL << 62;

    /// <summary>Where a block's key says which segments need their accesses checked, ES first; outside 64-bit mode.</summary>
    public const int CheckedSegmentsShift = 52;

    /// <summary>Part of a block's key: accesses that are not aligned are #AC.</summary>
    public const ulong AlignmentChecked = 1UL << 58;

    /// <summary>Part of a block's key: DR7 enables breakpoints; a block holds one instruction.</summary>
    public const ulong Breakpoints = 1UL << 59;

    /// <summary>The parts of a block's key for which accesses are checked before instructions.</summary>
    public const ulong Checked = (0x3FUL << CheckedSegmentsShift) | AlignmentChecked | Breakpoints;

    private const int TableBits = 16;
    private const int CrossingBits = 8;
    private const int ArenaBytes = 96 << 20;
    private const ulong FrameMask = 0x000F_FFFF_FFFF_F000;
    private readonly FrameWatch _watch;
    private readonly Mmu _mmu;
    private readonly Block** _table;
    private readonly Block** _crossing;
    private readonly byte* _arena;
    private readonly Dictionary<ulong, nint> _frames = [];
    private int _used;

    public CodeCache(FrameWatch watch, Mmu mmu)
    {
        (_watch, _mmu) = (watch, mmu);
        _table = (Block**)NativeMemory.AllocZeroed(1 << TableBits, (nuint)sizeof(Block*));
        _crossing = (Block**)NativeMemory.AllocZeroed(1 << CrossingBits, (nuint)sizeof(Block*));
        _arena = (byte*)NativeMemory.AlignedAlloc(ArenaBytes, 64);
    }

    /// <summary>How often everything was forgotten for want of space.</summary>
    public int Flushes { get; private set; }

    /// <summary>The block of a key, or null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Block* Find(ulong key)
    {
        Block* block = _table[IndexOf(key)];
        return block != null && block->Key == key ? block : null;
    }

    /// <summary>The block of a key where another has taken its place in the table, or null.</summary>
    public Block* FindInFrame(ulong key)
    {
        if (!_frames.TryGetValue(key & FrameMask, out nint first))
        {
            return null;
        }

        for (Block* block = (Block*)first; block != null; block = block->NextOfFrame)
        {
            if (block->Key == key)
            {
                _table[IndexOf(key)] = block;
                return block;
            }
        }

        return null;
    }

    /// <summary>The place of a block that reaches into a second page.</summary>
    public ref Block* Crossing(ulong key) => ref _crossing[(key >> 2) & ((1 << CrossingBits) - 1)];

    /// <summary>Room for a block of so many operations; everything may be forgotten for it.</summary>
    public Block* Allocate(int operations)
    {
        int bytes = (sizeof(Block) + 63 & ~63) + (operations * sizeof(Op));
        if (_used + bytes > ArenaBytes)
        {
            Clear();
            Flushes++;
        }

        var block = (Block*)(_arena + _used);
        _used += bytes;
        *block = default;
        block->Ops = (Op*)((byte*)block + (sizeof(Block) + 63 & ~63));
        return block;
    }

    /// <summary>Enters a block that lies in one page, and watches its frame.</summary>
    public void Add(Block* block)
    {
        ulong frame = block->Key & FrameMask;
        if (!_frames.TryGetValue(frame, out nint first))
        {
            _mmu.StartWatching(HostPhysicalAddress.FromValid(frame), AccessRights.Write);
        }

        block->NextOfFrame = (Block*)first;
        _frames[frame] = (nint)block;
        _table[IndexOf(block->Key)] = block;
    }

    /// <summary>Whether anything was decoded of the frame of an address.</summary>
    public bool Holds(ulong hpa) => _frames.ContainsKey(hpa & FrameMask);

    /// <summary>Forgets what was decoded of the frame of an address.</summary>
    public void Forget(ulong hpa)
    {
        ulong frame = hpa & FrameMask;
        if (!_frames.Remove(frame, out nint first))
        {
            return;
        }

        for (Block* block = (Block*)first; block != null; block = block->NextOfFrame)
        {
            ref Block* place = ref _table[IndexOf(block->Key)];
            if (place == block)
            {
                place = null;
            }
        }

        _watch.Remove(frame, AccessRights.Write);
    }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        foreach (ulong frame in _frames.Keys)
        {
            _watch.Remove(frame, AccessRights.Write);
        }

        _frames.Clear();
        new Span<nint>(_table, 1 << TableBits).Clear();
        new Span<nint>(_crossing, 1 << CrossingBits).Clear();
        _used = 0;
    }

    public void Dispose()
    {
        NativeMemory.Free(_table);
        NativeMemory.Free(_crossing);
        NativeMemory.AlignedFree(_arena);
    }

    private static ulong IndexOf(ulong key) => (key ^ (key >> 14) ^ (key >> 52)) & ((1 << TableBits) - 1);
}
