using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Sources;
using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;
using MemVirt.Cpu.Spaces;

namespace MemVirt.Cpu;

/// <content>The block of operations at RIP: found, decoded where it is not there, and left where its frame is written.</content>
internal sealed unsafe partial class Processor
{
    /// <summary>The block that runs was written to: it ends after the instruction that did.</summary>
    private void AbandonBlock(Op* op, ulong frame)
    {
        if (op == null || (_current->Key & 0x000F_FFFF_FFFF_F000) != frame)
        {
            return;
        }

        op->Link = null;
        for (int i = 1; i <= op->After; i++)
        {
            op[i].Handler = &Abandoned;
        }
    }

    private static Op* Abandoned(Processor processor, Op* op)
    {
        processor.LeaveAt(op);
        return null;
    }

    /// <summary>The block at RIP; null where its fetch faults, and then the exception waits.</summary>
    private Block* FindBlock()
    {
        ulong pointer = *(ulong*)(R + RegisterFile.BaseOf(SegmentName.Cs)) + Rip;
        if (!_unit.Linear.TryCanonicalize(pointer, dataAccess: false, out ulong linear))
        {
            RaiseBetween(Vector.GeneralProtection);
            return null;
        }

        if (!_mmu.TryTranslate(GuestVirtualAddress.FromValid(linear), MemoryAccess.Fetch, out HostPhysicalAddress hpa)
            && !TryFetch(linear, out hpa))
        {
            return null;
        }

        if (_observer != null)
        {
            Log(linear, 1, MemoryAccess.Fetch);
        }

        ulong key = hpa.Value | _modeKey;
        Block* block = Code.Find(key);
        return block != null ? block : FindBlockSlowly(key, linear);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Block* FindBlockSlowly(ulong key, ulong linear)
    {
        Block* block = Code.FindInFrame(key);
        if (block != null)
        {
            return block;
        }

        block = Builder.Build(key, linear);
        if (block == null)
        {
            return null;
        }

        Statistics.BlocksBuilt++;
        return block;
    }

    /// <summary>Translates a fetch beyond the front; false where it faults.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal bool TryFetch(ulong linear, out HostPhysicalAddress hpa)
    {
        while (true)
        {
            Translation translation = _mmu.TranslateBeyondFront(GuestVirtualAddress.FromValid(linear), MemoryAccess.Fetch);
            if (translation.Status == TranslationStatus.Ok)
            {
                hpa = HostPhysicalAddress.FromValid(translation.HostPage | (linear & 0xFFF));
                if (Space.Watch.Of(hpa.Value) == Core.Memory.FrameWatch.Everything)
                {
                    // Code is not fetched from devices.
                    RaiseBetween(Vector.GeneralProtection);
                    return false;
                }

                return true;
            }

            StageOutcome outcome = Settle(null, in translation, linear, MemoryAccess.Fetch, out _);
            if (outcome == StageOutcome.Device)
            {
                RaiseBetween(Vector.GeneralProtection);
            }

            if (outcome != StageOutcome.Retry)
            {
                hpa = default;
                return false;
            }
        }
    }
}
