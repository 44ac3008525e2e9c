using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Memory;
using MemVirt.Core.Sources;
using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Execution;
using MemVirt.Cpu.Interrupts;
using MemVirt.Cpu.Spaces;

namespace MemVirt.Cpu;

/// <content>Memory beyond the front: what misses it, crosses pages, belongs to a device, is watched or is the VMM's to emulate.</content>
internal sealed unsafe partial class Processor
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool LoadSlowly(Op* op, ulong pointer, int sizeBytes, out ulong value)
    {
        byte* found = TryBeyondFront(pointer, sizeBytes, MemoryAccess.Read);
        if (found != null)
        {
            value = sizeBytes switch { 1 => *found, 2 => *(ushort*)found, 4 => *(uint*)found, _ => *(ulong*)found };
            return true;
        }

        ulong read = 0;
        bool done = Access(op, pointer, (byte*)&read, sizeBytes, MemoryAccess.Read);
        value = read;
        return done;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool StoreSlowly(Op* op, ulong pointer, int sizeBytes, ulong value)
    {
        byte* found = TryBeyondFront(pointer, sizeBytes, MemoryAccess.Write);
        if (found == null)
        {
            return Access(op, pointer, (byte*)&value, sizeBytes, MemoryAccess.Write);
        }

        switch (sizeBytes)
        {
            case 1:
                *found = (byte)value;
                break;
            case 2:
                *(ushort*)found = (ushort)value;
                break;
            case 4:
                *(uint*)found = (uint)value;
                break;
            default:
                *(ulong*)found = value;
                break;
        }

        return true;
    }

    /// <summary>What misses the front and nothing else: a walk, or the TLB. Null where more is to be done, which then begins anew.</summary>
    private byte* TryBeyondFront(ulong pointer, int sizeBytes, MemoryAccess access)
    {
        ulong linear = IsLong ? pointer : (uint)pointer;
        if ((pointer & PageMask) > (ulong)(PageBytes - sizeBytes) || !_unit.Linear.TryCanonicalize(linear, dataAccess: true, out linear))
        {
            return null;
        }

        BeforeStore(access);
        Translation translation = _mmu.TranslateBeyondFront(GuestVirtualAddress.FromValid(linear), access);
        ulong hpa = translation.HostPage | (linear & PageMask);
        if (translation.Status != TranslationStatus.Ok || (Space.Watch.Of(hpa) & (AccessRights)access) != 0)
        {
            return null;
        }

        if (_observer != null)
        {
            Log(linear, sizeBytes, access);
        }

        return (byte*)Unsafe.AsPointer(ref _memory.ToWrite(hpa));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private byte* BeginModifySlowly(Op* op, ulong pointer, int sizeBytes, bool loads)
    {
        // The read of a read-modify-write is judged as a write (Intel SDM Vol. 3A §4.7, W/R).
        if (!TryPieces(op, pointer, sizeBytes, MemoryAccess.Write, out Piece first, out Piece second))
        {
            return null;
        }

        if (loads)
        {
            LogSlow(pointer, sizeBytes, MemoryAccess.Read, in first);
        }

        LogSlow(pointer, sizeBytes, MemoryAccess.Write, in first);
        if (second.LengthBytes == 0 && first.Host != null && !first.IsWatched)
        {
            return first.Host;
        }

        byte* scratch = _scratch;
        Read(in first, scratch);
        Read(in second, scratch + first.LengthBytes);
        _isInScratch = true;
        _first = first;
        _second = second;
        return scratch;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void EndModifySlowly(Op* op, byte* place, int sizeBytes)
    {
        _isInScratch = false;
        Write(op, in _first, place);
        Write(op, in _second, place + _first.LengthBytes);
    }

    /// <summary>Forgets a read-modify-write that is not to write: a compare-and-exchange that failed writes back what it read.</summary>
    internal void AbandonModify() => _isInScratch = false;

    private bool Access(Op* op, ulong pointer, byte* data, int sizeBytes, MemoryAccess access)
    {
        if (!TryPieces(op, pointer, sizeBytes, access, out Piece first, out Piece second))
        {
            return false;
        }

        LogSlow(pointer, sizeBytes, access, in first);
        if (access == MemoryAccess.Read)
        {
            Read(in first, data);
            Read(in second, data + first.LengthBytes);
        }
        else
        {
            Write(op, in first, data);
            Write(op, in second, data + first.LengthBytes);
        }

        return true;
    }

    /// <summary>Translates the one or two pages of an access before a byte of it is touched.</summary>
    private bool TryPieces(Op* op, ulong pointer, int sizeBytes, MemoryAccess access, out Piece first, out Piece second)
    {
        BeforeStore(access);
        int inFirst = Math.Min(sizeBytes, PageBytes - (int)(pointer & PageMask));
        second = default;
        if (!TryPiece(op, pointer, inFirst, access, out first))
        {
            return false;
        }

        ulong next = pointer + (ulong)inFirst;
        return inFirst == sizeBytes || TryPiece(op, IsLong ? next : (uint)next, sizeBytes - inFirst, access, out second);
    }

    private void LogSlow(ulong pointer, int sizeBytes, MemoryAccess access, in Piece first)
    {
        if (_observer != null && first.Host != null)
        {
            Log(IsLong ? pointer : (uint)pointer, sizeBytes, access);
        }
    }

    private bool TryPiece(Op* op, ulong pointer, int lengthBytes, MemoryAccess access, out Piece piece)
    {
        piece = default;
        ulong linear = IsLong ? pointer : (uint)pointer;
        if (!_unit.Linear.TryCanonicalize(linear, dataAccess: true, out linear))
        {
            bool isStack = op != null && (op->Traits & OpTraits.Stack) != 0;
            Raise(op, isStack ? Vector.StackFault : Vector.GeneralProtection, 0);
            return false;
        }

        while (true)
        {
            GuestVirtualAddress gva = GuestVirtualAddress.FromValid(linear);
            Translation translation = _mmu.TranslateBeyondFront(gva, access);
            if (translation.Status == TranslationStatus.Ok)
            {
                ulong hpa = translation.HostPage | (linear & PageMask);
                piece = PieceAt(hpa, lengthBytes, access);
                return true;
            }

            switch (Settle(op, in translation, linear, access, out ulong gpa))
            {
                case StageOutcome.Retry:
                    continue;
                case StageOutcome.Device:
                    Observe(ExecutionEvent.DeviceMemory);
                    piece = new Piece { GuestPhysical = gpa, LengthBytes = lengthBytes };
                    return true;
                case StageOutcome.EmulateStore:
                    FlushObserved();
                    Space.TryResolve(gpa, out ulong resolved);
                    piece = PieceAt(resolved, lengthBytes, access) with { GuestPhysical = gpa, IsWatched = true, IsEmulated = true };
                    return true;
                default:
                    return false;
            }
        }
    }

    private Piece PieceAt(ulong hpa, int lengthBytes, MemoryAccess access)
    {
        AccessRights watched = Space.Watch.Of(hpa);
        if (watched == FrameWatch.Everything)
        {
            return new Piece { GuestPhysical = Space.DeviceAddress(hpa), LengthBytes = lengthBytes };
        }

        return new Piece
        {
            Host = (byte*)Unsafe.AsPointer(ref _memory.ToWrite(hpa)),
            HostPhysical = hpa,
            LengthBytes = lengthBytes,
            IsWatched = (watched & (AccessRights)access) != 0,
        };
    }

    /// <summary>A translation that did not complete: a fault for the guest, or the VMM's to handle.</summary>
    private StageOutcome Settle(Op* op, in Translation fault, ulong linear, MemoryAccess access, out ulong gpa)
    {
        gpa = 0;
        switch (fault.Status)
        {
            case TranslationStatus.GuestNotPresent or TranslationStatus.GuestProtection or TranslationStatus.GuestReservedBit:
                RaisePageFault(op, linear, (uint)fault.FaultCode);
                return StageOutcome.Failed;
            case TranslationStatus.NotCanonical:
                Raise(op, Vector.GeneralProtection, 0);
                return StageOutcome.Failed;
            default:
                StageOutcome outcome = Space.Handle(in fault, linear, access, out gpa);
                if (outcome == StageOutcome.Failed)
                {
                    Stop(op, ProcessorStop.UnhandledStageFault);
                }

                return outcome;
        }
    }

    private void Read(in Piece piece, byte* into)
    {
        if (piece.Host != null)
        {
            Unsafe.CopyBlockUnaligned(into, piece.Host, (uint)piece.LengthBytes);
            return;
        }

        for (int i = 0; i < piece.LengthBytes;)
        {
            int size = DeviceSize(piece.GuestPhysical + (ulong)i, piece.LengthBytes - i);
            Statistics.DeviceAccesses++;
            ulong value = Bus.ReadMemory(piece.GuestPhysical + (ulong)i, size);
            Unsafe.CopyBlockUnaligned(into + i, &value, (uint)size);
            i += size;
        }
    }

    private void Write(Op* op, in Piece piece, byte* from)
    {
        if (piece.LengthBytes == 0)
        {
            return;
        }

        if (piece.Host != null)
        {
            Unsafe.CopyBlockUnaligned(piece.Host, from, (uint)piece.LengthBytes);
            if (piece.IsWatched)
            {
                WatchedWritten(op, in piece);
            }

            return;
        }

        CatchUp(op);
        for (int i = 0; i < piece.LengthBytes;)
        {
            int size = DeviceSize(piece.GuestPhysical + (ulong)i, piece.LengthBytes - i);
            ulong value = 0;
            Unsafe.CopyBlockUnaligned(&value, from + i, (uint)size);
            Statistics.DeviceAccesses++;
            Bus.WriteMemory(piece.GuestPhysical + (ulong)i, size, value);
            i += size;
        }
    }

    private void WatchedWritten(Op* op, in Piece piece)
    {
        if (Code.Holds(piece.HostPhysical))
        {
            Statistics.CodeFramesWritten++;
            Code.Forget(piece.HostPhysical);
            AbandonBlock(op, piece.HostPhysical & ~PageMask);
        }

        if (piece.IsEmulated)
        {
            FlushObserved();
            Space.StoreEmulated(piece.GuestPhysical, piece.LengthBytes);
        }
    }

    private static int DeviceSize(ulong gpa, int left)
    {
        int size = 8;
        while (size > left || (gpa & (ulong)(size - 1)) != 0)
        {
            size >>= 1;
        }

        return size;
    }

    /// <summary>The part of an access that lies in one page.</summary>
    private struct Piece
    {
        public byte* Host;
        public ulong HostPhysical;
        public ulong GuestPhysical;
        public int LengthBytes;
        public bool IsWatched;
        public bool IsEmulated;
    }
}
