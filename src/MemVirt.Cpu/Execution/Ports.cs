using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;
using MemVirt.Cpu.Segmentation;

namespace MemVirt.Cpu.Execution;

/// <summary>IN and OUT (Intel SDM Vol. 1 §19.5).</summary>
internal static unsafe class Ports
{
    /// <summary>Whether CPL, IOPL and the TSS's bitmap allow a port; #GP(0) where not.</summary>
    public static bool IsAllowed(Processor processor, Op* op, ushort port, int sizeBytes)
    {
        if (processor.CurrentPrivilegeLevel <= FlagWrites.IoPrivilegeLevel(processor))
        {
            return true;
        }

        ref SegmentRegister task = ref processor.Tables.Task;
        bool isTask32 = (task.Attributes & 0x800) != 0;
        if (isTask32 && task.Limit >= 0x67 && Descriptors.Load(processor, op, task.Base + 0x60, out ulong word))
        {
            uint map = (uint)(word >> 48);
            uint offset = map + (uint)(port >> 3);
            if (offset + 1 <= task.Limit && Descriptors.Load(processor, op, task.Base + offset, out ulong bits))
            {
                ulong mask = ((1UL << sizeBytes) - 1) << (port & 7);
                if ((bits & 0xFFFF & mask) == 0)
                {
                    return true;
                }
            }
        }

        if (processor.Pending == Vector.None)
        {
            processor.Raise(op, Vector.GeneralProtection);
        }

        return false;
    }

    public static uint Read(Processor processor, Op* op, ushort port, int sizeBytes)
    {
        processor.Statistics.PortAccesses++;
        processor.Observe(ExecutionEvent.Io);
        processor.CatchUp(op);
        return processor.Bus.ReadPort(port, sizeBytes);
    }

    public static void Write(Processor processor, Op* op, ushort port, int sizeBytes, uint value)
    {
        processor.Statistics.PortAccesses++;
        processor.Observe(ExecutionEvent.Io);
        processor.CatchUp(op);
        processor.Bus.WritePort(port, sizeBytes, value);
    }

    /// <summary>IN: the port is <see cref="Op.Immediate"/>, or DX where <see cref="Op.Detail"/> is 1.</summary>
    public static Op* In(Processor processor, Op* op)
    {
        ushort port = PortOf(processor, op);
        if (!IsAllowed(processor, op, port, op->Size))
        {
            return null;
        }

        uint value = Read(processor, op, port, op->Size);
        byte* rax = processor.R + RegisterFile.Rax;
        switch (op->Size)
        {
            case 1:
                Width8.PutRegister(rax, value);
                break;
            case 2:
                Width16.PutRegister(rax, value);
                break;
            default:
                Width32.PutRegister(rax, value);
                break;
        }

        return op + 1;
    }

    public static Op* Out(Processor processor, Op* op)
    {
        ushort port = PortOf(processor, op);
        if (!IsAllowed(processor, op, port, op->Size))
        {
            return null;
        }

        ulong rax = processor.Register(RegisterFile.Rax);
        Write(processor, op, port, op->Size, op->Size == 1 ? (byte)rax : op->Size == 2 ? (ushort)rax : (uint)rax);

        // A write that ends the run is the last instruction.
        if (processor.Bus.IsStopping)
        {
            processor.LeaveAfter(op);
            processor.RequestAttention();
            return null;
        }

        return op + 1;
    }

    private static ushort PortOf(Processor processor, Op* op)
        => op->Detail == 1 ? (ushort)processor.Register(RegisterFile.Rdx) : (byte)op->Immediate;
}
