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
    private const ulong Conditions = 0xF;
    private ulong _hits;
    private ulong _heldAt = ulong.MaxValue;
    private ulong _unsteppedAt = ulong.MaxValue;

    /// <summary>Whether DR7 enables any breakpoint.</summary>
    internal bool HasBreakpoints => (Debug.Dr7 & Enables) != 0;

    /// <summary>MOV SS, POP SS: no debug exception before the end of the next instruction.</summary>
    internal void HoldDebugExceptions(Op* op) => _heldAt = TimeAt(op);

    /// <summary>DR7.GD: an access to a debug register is a fault.</summary>
    internal bool TryDebugRegisterAccess(Op* op)
    {
        if ((Debug.Dr7 & GeneralDetect) == 0)
        {
            return true;
        }

        Tell(GeneralDetect);
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

        if (hits == 0)
        {
            return false;
        }

        Tell(hits);
        return true;
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

    /// <summary>SYSCALL and SYSRET: the TF that they leave decides on a trap after them, not the one that they found.</summary>
    internal void StepByNewFlags(Op* op)
    {
        if ((SystemFlags & SystemFlag.Trap) == 0)
        {
            _unsteppedAt = TimeAt(op);
            return;
        }

        Tell(SingleStepped);
        RaiseBetween(Vector.Debug);
    }

    /// <summary>After an instruction that was a block of its own and did not fault: the traps it has met.</summary>
    private void TakeTraps(Block* block)
    {
        if (_heldAt + 1 == Now)
        {
            return;
        }

        bool isStepped = (block->Key & CodeCache.SingleStep) != 0 && _unsteppedAt + 1 != Now;
        if (!isStepped && _hits == 0)
        {
            return;
        }

        // HLT ends with it.
        _isHalted = false;

        Tell(_hits | (isStepped ? SingleStepped : 0));
        _hits = 0;
        RaiseBetween(Vector.Debug);
        DeliverPending();
    }

    /// <summary>INT1 is a debug exception itself: with it go the traps that MOV SS has put off.</summary>
    internal void MergeHeldTraps()
    {
        if (_hits != 0)
        {
            Tell(_hits);
            _hits = 0;
        }
    }

    /// <summary>DR6 says why: which breakpoints, anew; what else, besides what it said before (Intel SDM Vol. 3B §17.2.3).</summary>
    private void Tell(ulong reasons) => Debug.Dr6 = (Debug.Dr6 & ~Conditions) | reasons;

    private bool IsEnabled(int i) => (Debug.Dr7 >> (2 * i) & 3) != 0;

    private int KindOf(int i) => (int)(Debug.Dr7 >> (16 + (4 * i))) & 3;

    private ulong LengthOf(int i) => (Debug.Dr7 >> (18 + (4 * i)) & 3) switch { 0 => 1, 1 => 2, 2 => 8, _ => 4 };

    private ulong AddressOf(int i) => i switch { 0 => Debug.Dr0, 1 => Debug.Dr1, 2 => Debug.Dr2, _ => Debug.Dr3 };
}
