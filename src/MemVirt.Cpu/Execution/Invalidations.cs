using MemVirt.Core;
using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.Execution;

/// <summary>INVLPG and INVPCID (Intel SDM Vol. 3A §4.10.4.1).</summary>
internal static unsafe class Invalidations
{
    public static Op* InvalidatePage(Processor processor, Op* op)
    {
        if (processor.CurrentPrivilegeLevel != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        processor.Statistics.Invlpgs++;
        ulong address = processor.Address(op);
        processor.FlushObserved();
        processor.Unit.Invlpg(processor.IsLong ? address : (uint)address);
        processor.ObserveInvlpg(address);
        return processor.LeaveAfter(op);
    }

    public static Op* InvalidateContext(Processor processor, Op* op)
    {
        if (!processor.Profile.InvalidateProcessContext)
        {
            return processor.Raise(op, Vector.InvalidOpcode);
        }

        if (processor.CurrentPrivilegeLevel != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        byte* descriptor = stackalloc byte[16];
        if (!processor.LoadBytes(op, processor.Address(op), new Span<byte>(descriptor, 16)))
        {
            return null;
        }

        processor.Statistics.Invpcids++;
        ulong type = processor.Register(op->Destination);
        type = processor.IsLong ? type : (uint)type;
        processor.FlushObserved();
        if (processor.Unit.Invpcid(type, *(ulong*)descriptor, *(ulong*)(descriptor + 8)) != RegisterWriteOutcome.Done)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        processor.Observe(ExecutionEvent.Invlpg);
        if (type == 0)
        {
            processor.Observer?.Invalidated(*(ulong*)(descriptor + 8));
        }
        else
        {
            processor.ObserveInvalidateAll();
        }

        return processor.LeaveAfter(op);
    }
}
