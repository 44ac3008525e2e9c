using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Execution;

namespace MemVirt.Cpu;

/// <content>Memory: one compare on the way that is nearly always taken, and everything else.</content>
internal sealed unsafe partial class Processor
{
    private const int PageBytes = 4096;
    private const ulong PageMask = PageBytes - 1;

    // Where a read-modify-write that may not work in place works: what crosses pages, devices, watched frames.
    private readonly byte* _scratch = (byte*)System.Runtime.InteropServices.NativeMemory.AllocZeroed(64);
    private bool _isInScratch;
    private Piece _first;
    private Piece _second;

    /// <summary>The linear address of a memory operand, before it is checked.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ulong Address(Op* op)
    {
        byte* r = R;
        ulong effective = *(ulong*)(r + op->Base) + (*(ulong*)(r + op->Index) << op->Scale) + op->Displacement;
        return (effective & op->AddressMask) + *(ulong*)(r + op->Segment);
    }

    /// <summary>The effective address of a memory operand: LEA.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ulong EffectiveAddress(Op* op)
    {
        byte* r = R;
        return (*(ulong*)(r + op->Base) + (*(ulong*)(r + op->Index) << op->Scale) + op->Displacement) & op->AddressMask;
    }

    /// <summary>Where memory can be read or written at once, all of it in one page of RAM that nobody watches; null elsewhere.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal byte* TryDirect(ulong pointer, int sizeBytes, MemoryAccess access)
    {
        byte* direct = TryDirectUnseen(pointer, sizeBytes, access, out ulong linear);
        if (_observer != null && direct != null)
        {
            Log(linear, sizeBytes, access);
        }

        return direct;
    }

    /// <summary>The same, and no observer hears of it: what the access consists of is told by <see cref="LogEach"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal byte* TryDirectUnseen(ulong pointer, int sizeBytes, MemoryAccess access, out ulong linear)
    {
        if ((pointer & PageMask) <= (ulong)(PageBytes - sizeBytes)
            && _unit.Linear.TryCanonicalize(pointer, dataAccess: true, out linear)
            && _mmu.TryTranslate(GuestVirtualAddress.FromValid(linear), access, out HostPhysicalAddress hpa))
        {
            return (byte*)Unsafe.AsPointer(ref _memory.ToWrite(hpa.Value));
        }

        linear = 0;
        return null;
    }

    /// <summary>Reads a value; false where that faults, and then RIP is the instruction's and the exception waits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool Load<TWidth>(Op* op, ulong pointer, out ulong value)
        where TWidth : struct, IWidth
    {
        byte* direct = TryDirect(pointer, TWidth.Bits / 8, MemoryAccess.Read);
        if (direct != null)
        {
            value = TWidth.Get(direct);
            return true;
        }

        return LoadSlowly(op, pointer, TWidth.Bits / 8, out value);
    }

    /// <summary>Writes a value; false where that faults.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool Store<TWidth>(Op* op, ulong pointer, ulong value)
        where TWidth : struct, IWidth
    {
        byte* direct = TryDirect(pointer, TWidth.Bits / 8, MemoryAccess.Write);
        if (direct != null)
        {
            TWidth.Put(direct, value);
            return true;
        }

        return StoreSlowly(op, pointer, TWidth.Bits / 8, value);
    }

    /// <summary>
    /// Where a value is read and then written, its right to be written checked; null where that faults. <see cref="EndModify"/>
    /// follows the write. To an observer it is a load and a store.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal byte* BeginModify(Op* op, ulong pointer, int sizeBytes)
    {
        byte* direct = TryDirectUnseen(pointer, sizeBytes, MemoryAccess.Write, out ulong linear);
        if (direct == null)
        {
            return BeginModifySlowly(op, pointer, sizeBytes, loads: true);
        }

        if (_observer != null)
        {
            Log(linear, sizeBytes, MemoryAccess.Read);
            Log(linear, sizeBytes, MemoryAccess.Write);
        }

        return direct;
    }

    /// <summary>The same for what is written in part, or known to be writable before there is a value: to an observer a store.</summary>
    internal byte* BeginStore(Op* op, ulong pointer, int sizeBytes)
    {
        byte* direct = TryDirect(pointer, sizeBytes, MemoryAccess.Write);
        return direct != null ? direct : BeginModifySlowly(op, pointer, sizeBytes, loads: false);
    }

    /// <summary>Ends what <see cref="BeginModify"/> began.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void EndModify(Op* op, byte* place, int sizeBytes)
    {
        if (_isInScratch)
        {
            EndModifySlowly(op, place, sizeBytes);
        }
    }

    /// <summary>Whether bytes can be written, at most 512 of them; false where that faults.</summary>
    internal bool MayStore(Op* op, ulong pointer, int sizeBytes) => TryPieces(op, pointer, sizeBytes, MemoryAccess.Write, out _, out _);

    /// <summary>Reads bytes, at most 512; false where that faults.</summary>
    internal bool LoadBytes(Op* op, ulong pointer, Span<byte> bytes)
    {
        fixed (byte* into = bytes)
        {
            byte* direct = TryDirect(pointer, bytes.Length, MemoryAccess.Read);
            if (direct != null)
            {
                new ReadOnlySpan<byte>(direct, bytes.Length).CopyTo(bytes);
                return true;
            }

            return Access(op, pointer, into, bytes.Length, MemoryAccess.Read);
        }
    }

    /// <summary>Writes bytes, at most 512; false where that faults, and then none is written.</summary>
    internal bool StoreBytes(Op* op, ulong pointer, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* from = bytes)
        {
            byte* direct = TryDirect(pointer, bytes.Length, MemoryAccess.Write);
            if (direct != null)
            {
                bytes.CopyTo(new Span<byte>(direct, bytes.Length));
                return true;
            }

            return Access(op, pointer, from, bytes.Length, MemoryAccess.Write);
        }
    }
}
