using System.Runtime.CompilerServices;
using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;
using MemVirt.Cpu.Machine;

namespace MemVirt.Cpu;

/// <content>The loop: blocks, interrupts between them, time.</content>
internal sealed unsafe partial class Processor
{
    private Block* _current;
    private ulong _modeKey;
    private ulong _until;
    private bool _isHalted;
    private bool _isShadowed;
    private ProcessorStop _stop;

    /// <summary>Virtual time between blocks, in nanoseconds.</summary>
    internal ulong Now => Horizon - (ulong)Remaining;

    /// <summary>Nanoseconds slept in HLT.</summary>
    internal ulong Slept { get; private set; }

    /// <summary>Whether a string instruction is to do one step at a time: each is checked, or trapped.</summary>
    internal bool IsStepping => _current->Checks != 0 || (_current->Key & CodeCache.SingleStep) != 0;

    /// <summary>Instructions retired.</summary>
    internal ulong Retired => Now - Slept;

    /// <summary>Whether HLT waits for an interrupt.</summary>
    internal bool IsHalted => _isHalted;

    /// <summary>Runs up to a time, or until it stops for a reason.</summary>
    /// <param name="until">Virtual time in nanoseconds.</param>
    internal ProcessorStop Run(ulong until)
    {
        _until = Math.Min(until, Now + (1UL << 62));
        _stop = ProcessorStop.None;
        RequestAttention();
        while (true)
        {
            if (Remaining <= 0 && !Attend())
            {
                return _stop;
            }

            Block* block = FindBlock();
            if (block != null)
            {
                BlockRip = Rip;
                _current = block;
                Remaining -= block->Count;
                Op* op = block->Ops;
                do
                {
                    op = op->Handler(this, op);
                }
                while (op != null);
            }

            if (_pending != Vector.None)
            {
                DeliverPending();
            }
            else if (block != null && (block->Key & (CodeCache.SingleStep | CodeCache.Breakpoints)) != 0)
            {
                TakeTraps(block);
            }
        }
    }

    /// <summary>Time passes between two runs; timers see it in the next.</summary>
    internal void Skip(ulong nanoseconds)
    {
        Horizon += nanoseconds;
        Slept += nanoseconds;
    }

    /// <summary>Lets the block that runs be the last before interrupts and the clock are looked at.</summary>
    internal void RequestAttention()
    {
        Horizon -= (ulong)Remaining;
        Remaining = 0;
    }

    /// <summary>Lets devices catch up with the instruction that is about to reach one.</summary>
    internal void CatchUp(Op* op)
    {
        if (op != null)
        {
            Bus.Clock.AdvanceTo(TimeAt(op));
        }
    }

    /// <summary>Virtual time at an instruction of the current block.</summary>
    internal ulong TimeAt(Op* op) => Horizon - (ulong)(Remaining + op->After + 1);

    /// <summary>HLT: nothing is executed until an interrupt comes.</summary>
    internal void Halt()
    {
        Statistics.Halts++;
        _isHalted = true;
        RequestAttention();
    }

    /// <summary>STI, MOV SS: no interrupt before the end of the next block.</summary>
    internal void ShadowInterrupts()
    {
        _isShadowed = true;
        RequestAttention();
    }

    /// <summary>
    /// Leaves the block before an instruction that may disable interrupts, where one waits: what STI or MOV SS held back until the end of
    /// the next instruction would else be held back for good. The first instruction of a block may be that next one.
    /// </summary>
    internal bool IsInterruptedBefore(Op* op)
    {
        if (op->Offset == 0 || (SystemFlags & SystemFlag.Interrupt) == 0 || !Bus.Interrupts.IsPending)
        {
            return false;
        }

        LeaveAt(op);
        RequestAttention();
        return true;
    }

    /// <summary>Interrupts may have become enabled: whether one waits is looked at when the block is left.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void InterruptsMayBeEnabled()
    {
        if (((SystemFlags & SystemFlag.Interrupt) != 0 && Bus.Interrupts.IsPending) || (_isNonMaskablePending && !_isNonMaskableBlocked))
        {
            RequestAttention();
        }
    }

    /// <summary>Ends the run.</summary>
    internal void Stop(Op* op, ProcessorStop reason)
    {
        if (op != null)
        {
            LeaveAt(op);
        }

        _stop = reason;
        RequestAttention();
    }

    /// <summary>Leaves the block before an instruction, which is not retired.</summary>
    internal void LeaveAt(Op* op)
    {
        Rip = RipOf(op->Offset);
        Remaining += op->After + 1;
    }

    /// <summary>The RIP of an offset into the block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ulong RipOf(ulong offset) => IsLong ? BlockRip + offset : (uint)(BlockRip + offset);

    /// <summary>Leaves the block for the instruction after one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Op* LeaveAfter(Op* op)
    {
        Rip = RipOf(op->Next);
        Remaining += op->After;
        return null;
    }

    /// <summary>A near branch within the block's page, or beyond: goes on with the block there where it is known.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Op* Branch(Op* op)
    {
        Block* link = op->Link;
        if (link == null)
        {
            return BranchSlowly(op);
        }

        // What was not executed of this block goes back before the next takes its own.
        Remaining += op->After - link->Count;
        BlockRip = RipOf(op->Immediate);
        if (Remaining + link->Count <= 0)
        {
            Remaining += link->Count;
            Rip = BlockRip;
            return null;
        }

        _current = link;
        return link->Ops;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Op* BranchSlowly(Op* op)
    {
        Remaining += op->After;
        if ((op->Traits & OpTraits.Branch16) != 0)
        {
            Rip = (ushort)(BlockRip + (ulong)(short)op->Immediate);
            return null;
        }

        Rip = RipOf(op->Immediate);
        const ulong PageMask = ~0xFFFUL;
        ulong segmentBase = *(ulong*)(R + RegisterFile.BaseOf(SegmentName.Cs));
        ulong linear = segmentBase + Rip;
        if (((linear ^ (segmentBase + BlockRip)) & PageMask) == 0 && (_current->Key & (CodeCache.SingleStep | CodeCache.Breakpoints)) == 0 && _current->SecondFrame == Block.NoFrame)
        {
            // The same page, nothing in between that could change its translation: the block's own frame.
            ulong key = (_current->Key & PageMask) | (linear & ~PageMask);
            Block* target = Code.Find(key);
            if (target == null)
            {
                target = Code.FindInFrame(key);
            }

            op->Link = target;
        }

        return null;
    }

    private bool Attend()
    {
        if (_stop != ProcessorStop.None)
        {
            return false;
        }

        ulong now = Now;
        MachineClock clock = Bus.Clock;
        while (true)
        {
            clock.AdvanceTo(now);
            if (Bus.IsStopping)
            {
                _stop = ProcessorStop.Requested;
                return false;
            }

            if (_isShadowed)
            {
                // One block, then this again.
                _isShadowed = false;
                SetHorizon(now, now + 1);
                return true;
            }

            if (_isNonMaskablePending && !_isNonMaskableBlocked)
            {
                _isHalted = false;
                SetHorizon(now, now);
                DeliverNonMaskable();
                if (_stop != ProcessorStop.None)
                {
                    return false;
                }
            }
            else if ((SystemFlags & SystemFlag.Interrupt) != 0 && Bus.Interrupts.IsPending)
            {
                _isHalted = false;
                SetHorizon(now, now);
                DeliverInterrupt(Bus.Interrupts.Acknowledge());
                if (_stop != ProcessorStop.None)
                {
                    return false;
                }
            }

            if (now >= _until)
            {
                SetHorizon(now, now);
                _stop = ProcessorStop.TimeOver;
                return false;
            }

            ulong next = Math.Min(clock.NextDeadline, _until);
            if (!_isHalted)
            {
                SetHorizon(now, Math.Max(next, now + 1));
                return true;
            }

            bool neverWakes = (SystemFlags & SystemFlag.Interrupt) == 0 || (clock.NextDeadline == MachineClock.Never && !Bus.MayWakeLater);
            if (neverWakes)
            {
                SetHorizon(now, now);
                _stop = ProcessorStop.Halted;
                return false;
            }

            Bus.Sleep(now, next);
            Slept += next - now;
            now = next;
        }
    }

    private void SetHorizon(ulong now, ulong horizon)
    {
        Horizon = horizon;
        Remaining = (long)(horizon - now);
    }
}
