using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Execution;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.FloatingPoint;

/// <summary>x87 control instructions.</summary>
internal static unsafe class FloatingPointExecution
{
    public static Op* Initialize(Processor processor, Op* op)
    {
        if (!TryEnter(processor, op))
        {
            return null;
        }

        processor.FloatingPoint.Initialize();
        return op + 1;
    }

    public static Op* ClearExceptions(Processor processor, Op* op)
    {
        if (!TryEnter(processor, op))
        {
            return null;
        }

        processor.FloatingPoint.Status &= 0x7F00;
        return op + 1;
    }

    public static Op* StoreControl(Processor processor, Op* op)
        => TryEnter(processor, op) && processor.Store<Width16>(op, processor.Address(op), processor.FloatingPoint.Control) ? op + 1 : null;

    public static Op* LoadControl(Processor processor, Op* op)
    {
        if (!TryEnter(processor, op) || !processor.Load<Width16>(op, processor.Address(op), out ulong value))
        {
            return null;
        }

        processor.FloatingPoint.Control = (ushort)value;
        return op + 1;
    }

    public static Op* StoreStatus(Processor processor, Op* op)
    {
        if (!TryEnter(processor, op))
        {
            return null;
        }

        if ((op->Traits & OpTraits.Memory) != 0)
        {
            return processor.Store<Width16>(op, processor.Address(op), processor.FloatingPoint.Status) ? op + 1 : null;
        }

        Width16.PutRegister(processor.R + RegisterFile.Rax, processor.FloatingPoint.Status);
        return op + 1;
    }

    /// <summary>WAIT: #NM with CR0.MP and CR0.TS.</summary>
    public static Op* Wait(Processor processor, Op* op)
        => (processor.Control.Cr0 & 0xA) == 0xA ? processor.Raise(op, Vector.DeviceNotAvailable) : op + 1;

    private static bool TryEnter(Processor processor, Op* op)
    {
        if ((processor.Control.Cr0 & 0xC) == 0)
        {
            return true;
        }

        processor.Raise(op, Vector.DeviceNotAvailable);
        return false;
    }
}
