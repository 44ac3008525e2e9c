using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;
using MemVirt.Cpu.Segmentation;

namespace MemVirt.Cpu.Execution;

/// <summary>The registers of descriptor tables and of the task: GDTR, IDTR, LDTR, TR (Intel SDM Vol. 3A §2.4).</summary>
internal static unsafe class TableRegisters
{
    private const uint BusyBit = 0x200;

    /// <summary>LGDT and LIDT (<see cref="Op.Detail"/> 1).</summary>
    public static Op* LoadTable(Processor processor, Op* op)
    {
        if (processor.CurrentPrivilegeLevel != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        ulong address = processor.Address(op);
        if (!processor.Load<Width16>(op, address, out ulong limit))
        {
            return null;
        }

        bool loaded = processor.IsLong
            ? processor.Load<Width64>(op, address + 2, out ulong start)
            : processor.Load<Width32>(op, address + 2, out start);
        if (!loaded)
        {
            return null;
        }

        if (op->Size == 2)
        {
            start &= 0xFF_FFFF;
        }

        if (processor.IsLong && !processor.IsBase(start))
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        if (op->Detail == 1)
        {
            (processor.Tables.IdtBase, processor.Tables.IdtLimit) = (start, (ushort)limit);
        }
        else
        {
            (processor.Tables.GdtBase, processor.Tables.GdtLimit) = (start, (ushort)limit);
        }

        return op + 1;
    }

    /// <summary>SGDT and SIDT (<see cref="Op.Detail"/> 1).</summary>
    public static Op* StoreTable(Processor processor, Op* op)
    {
        if (SystemOperands.IsPrevented(processor))
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        ulong start = op->Detail == 1 ? processor.Tables.IdtBase : processor.Tables.GdtBase;
        ulong limit = op->Detail == 1 ? processor.Tables.IdtLimit : processor.Tables.GdtLimit;
        byte* image = stackalloc byte[16];
        *(ushort*)image = (ushort)limit;
        *(ulong*)(image + 2) = start;
        return processor.StoreBytes(op, processor.Address(op), new ReadOnlySpan<byte>(image, processor.IsLong ? 10 : 6)) ? op + 1 : null;
    }

    public static Op* LoadLocalTable(Processor processor, Op* op)
    {
        const int LdtType = 2;
        if (processor.CurrentPrivilegeLevel != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        if (!SystemOperands.TryWord(processor, op, out ulong value))
        {
            return null;
        }

        var selector = (ushort)value;
        if ((selector & 0xFFFC) == 0)
        {
            processor.Tables.Ldt = new SegmentRegister { Selector = selector };
            return op + 1;
        }

        if (!TryGlobal(processor, op, selector, out Descriptor descriptor))
        {
            return null;
        }

        if (descriptor.IsSegment || descriptor.Type != LdtType)
        {
            return processor.Raise(op, Vector.GeneralProtection, selector & 0xFFFCu);
        }

        if (!descriptor.IsPresent)
        {
            return processor.Raise(op, Vector.SegmentNotPresent, selector & 0xFFFCu);
        }

        if (!processor.IsBase(descriptor.Base))
        {
            return processor.Raise(op, Vector.GeneralProtection, selector & 0xFFFCu);
        }

        processor.Tables.Ldt = descriptor.ToSegment(selector);
        return op + 1;
    }

    public static Op* LoadTask(Processor processor, Op* op)
    {
        if (processor.CurrentPrivilegeLevel != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        if (!SystemOperands.TryWord(processor, op, out ulong value))
        {
            return null;
        }

        var selector = (ushort)value;
        if ((selector & 0xFFFC) == 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        if (!TryGlobal(processor, op, selector, out Descriptor descriptor))
        {
            return null;
        }

        bool isTask = !descriptor.IsSegment && (descriptor.Type == 9 || (descriptor.Type == 1 && !processor.IsLongModeActive));
        if (!isTask)
        {
            return processor.Raise(op, Vector.GeneralProtection, selector & 0xFFFCu);
        }

        if (!descriptor.IsPresent)
        {
            return processor.Raise(op, Vector.SegmentNotPresent, selector & 0xFFFCu);
        }

        if (!processor.IsBase(descriptor.Base))
        {
            return processor.Raise(op, Vector.GeneralProtection, selector & 0xFFFCu);
        }

        if (!Descriptors.TryStore(processor, op, selector, descriptor.Value | ((ulong)BusyBit << 32)))
        {
            return null;
        }

        SegmentRegister task = descriptor.ToSegment(selector);
        task.Attributes |= BusyBit;
        processor.Tables.Task = task;
        return op + 1;
    }

    public static Op* StoreLocalTable(Processor processor, Op* op)
        => SystemOperands.IsPrevented(processor) ? processor.Raise(op, Vector.GeneralProtection) : SystemOperands.PutSelector(processor, op, processor.Tables.Ldt.Selector);

    public static Op* StoreTask(Processor processor, Op* op)
        => SystemOperands.IsPrevented(processor) ? processor.Raise(op, Vector.GeneralProtection) : SystemOperands.PutSelector(processor, op, processor.Tables.Task.Selector);

    private static bool TryGlobal(Processor processor, Op* op, ushort selector, out Descriptor descriptor)
    {
        descriptor = default;
        if ((selector & 4) != 0)
        {
            processor.Raise(op, Vector.GeneralProtection, selector & 0xFFFCu);
            return false;
        }

        return Descriptors.TryReadSystem(processor, op, selector, 0, out descriptor);
    }
}
