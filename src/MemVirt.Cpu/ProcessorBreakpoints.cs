using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu;

/// <content>Debug exceptions (Intel SDM Vol. 3B §17.2 and §17.3).</content>
internal sealed unsafe partial class Processor
{
    private const ulong SingleStepped = 1 << 14;
    private const ulong GeneralDetect = 1 << 13;
    private const ulong Enables = 0xFF;
    private const int Breakpoints = 4;
    private ulong _hits;
    private ulong _heldAt = ulong.MaxValue;

    /// <summary>MOV SS, POP SS: no debug exception before the end of the next instruction.</summary>
    internal void HoldDebugExceptions(Op* op) => _heldAt = TimeAt(op);

    /// <summary>DR7.GD: an access to a debug register is a fault.</summary>
    internal bool TryDebugRegisterAccess(Op* op)
    {
        if ((Debug.Dr7 & GeneralDetect) == 0)
        {
            return true;
        }

        Debug.Dr6 |= GeneralDetect;
        Raise(op, Vector.Debug);
        return false;
    }

    /// <summary>Whether a breakpoint is on an instruction; RF is clear from then on.</summary>
    internal bool IsBreakpoint(Op* op)
    {
        const int onExecution = 0;
        bool isSuppressed = (SystemFlags & SystemFlag.Resume) != 0 || _heldAt + 1 == TimeAt(op);
        SystemFlags &= ~SystemFlag.Resume;
        if (isSuppressed)
        {
            return false;
        }

        ulong linear = *(ulong*)(R + RegisterFile.BaseOf(SegmentName.Cs)) + RipOf(op->Offset);
        linear = IsLong ? linear : (uint)linear;
        ulong hits = 0;
        for (int i = 0; i < Breakpoints; i++)
        {
            bool isHit = IsEnabled(i) && KindOf(i) == onExecution && AddressOf(i) == linear;
            hits |= isHit ? 1UL << i : 0;
        }

        Debug.Dr6 |= hits;
        return hits != 0;
    }

    /// <summary>Notes the breakpoints that an access is to: a trap follows its instruction.</summary>
    internal void WatchData(ulong linear, ulong sizeBytes, bool isWrite)
    {
        const int onWrite = 1;
        const int onAccess = 3;
        for (int i = 0; i < Breakpoints; i++)
        {
            int kind = KindOf(i);
            ulong length = LengthOf(i);
            ulong start = AddressOf(i) & ~(length - 1);
            bool isWatched = kind == onAccess || (kind == onWrite && isWrite);
            if (IsEnabled(i) && isWatched && linear < start + length && start < linear + sizeBytes)
            {
                _hits |= 1UL << i;
            }
        }
    }

    /// <summary>After an instruction that was a block of its own and did not fault: the traps it has met.</summary>
    private void TakeTraps(Block* block)
    {
        if (_heldAt + 1 == Now)
        {
            return;
        }

        bool isStepped = (block->Key & CodeCache.SingleStep) != 0;
        if (!isStepped && _hits == 0)
        {
            return;
        }

        Debug.Dr6 |= _hits | (isStepped ? SingleStepped : 0);
        _hits = 0;
        RaiseBetween(Vector.Debug);
        DeliverPending();
    }

    private bool IsEnabled(int i) => (Debug.Dr7 >> (2 * i) & 3) != 0;

    private int KindOf(int i) => (int)(Debug.Dr7 >> (16 + (4 * i))) & 3;

    private ulong LengthOf(int i) => (Debug.Dr7 >> (18 + (4 * i)) & 3) switch { 0 => 1, 1 => 2, 2 => 8, _ => 4 };

    private ulong AddressOf(int i) => i switch { 0 => Debug.Dr0, 1 => Debug.Dr1, 2 => Debug.Dr2, _ => Debug.Dr3 };
}
