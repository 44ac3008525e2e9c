using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Execution;
using MemVirt.Cpu.FloatingPoint.Arithmetic;

namespace MemVirt.Cpu.FloatingPoint;

/// <summary>x87 instructions that control the unit (Intel SDM Vol. 1 §8.3.11).</summary>
internal static unsafe class FloatingPointControl
{
    private const ushort ReservedControl = 0x40;
    private const ushort ControlBits = 0x1F3F;

    /// <summary>FNINIT.</summary>
    public static Op* Initialize(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterControl(processor, op))
        {
            return null;
        }

        processor.FloatingPoint.Initialize();
        return op + 1;
    }

    /// <summary>FNCLEX: C0 to C3 and the top stay.</summary>
    public static Op* ClearExceptions(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterControl(processor, op))
        {
            return null;
        }

        processor.FloatingPoint.Status &= 0x7F00;
        return op + 1;
    }

    /// <summary>FNSTCW.</summary>
    public static Op* StoreControl(Processor processor, Op* op)
        => FloatingPointEntry.TryEnterControl(processor, op)
            && processor.Store<Width16>(op, processor.Address(op), processor.FloatingPoint.Control) ? op + 1 : null;

    /// <summary>FLDCW.</summary>
    public static Op* LoadControl(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterWaiting(processor, op) || !processor.Load<Width16>(op, processor.Address(op), out ulong value))
        {
            return null;
        }

        SetControl(processor.FloatingPoint, (ushort)value);
        return op + 1;
    }

    /// <summary>FNSTSW.</summary>
    public static Op* StoreStatus(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterControl(processor, op))
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

    /// <summary>WAIT: #NM with CR0.MP and CR0.TS, #MF where an exception is pending.</summary>
    public static Op* Wait(Processor processor, Op* op)
    {
        const ulong monitored = 0xA;
        const ulong numericError = 1 << 5;
        ulong cr0 = processor.Control.Cr0;
        if ((cr0 & monitored) == monitored)
        {
            return processor.Raise(op, Interrupts.Vector.DeviceNotAvailable);
        }

        return processor.FloatingPoint.IsExceptionPending && (cr0 & numericError) != 0
            ? processor.Raise(op, Interrupts.Vector.FloatingPoint) : op + 1;
    }

    /// <summary>FNOP, and what the 80387 has made one: FNENI, FNDISI, FNSETPM.</summary>
    public static Op* Nothing(Processor processor, Op* op) => FloatingPointEntry.TryEnterWaiting(processor, op) ? op + 1 : null;

    /// <summary>FINCSTP, FDECSTP: <see cref="Op.Detail"/> is what the top becomes more by.</summary>
    public static Op* MoveTop(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterWaiting(processor, op))
        {
            return null;
        }

        processor.FloatingPoint.Top += op->Detail;
        processor.FloatingPoint.SetC1(false);
        return op + 1;
    }

    /// <summary>FFREE, FFREEP.</summary>
    public static Op* Free(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterWaiting(processor, op))
        {
            return null;
        }

        processor.FloatingPoint.Mark(op->Destination, isUsed: false);
        processor.FloatingPoint.SetC1(false);
        if (((FloatingPointTraits)op->Extra & FloatingPointTraits.Pop) != 0)
        {
            processor.FloatingPoint.Pop();
        }

        return op + 1;
    }

    /// <summary>FNSTENV, which masks all exceptions; FNSAVE, which initialises. The area's size says which, and of which operand size.</summary>
    public static Op* StoreEnvironment(Processor processor, Op* op)
    {
        if (!FloatingPointEntry.TryEnterControl(processor, op))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        int size = op->Size;
        int environment = EnvironmentBytes(size);
        byte* area = stackalloc byte[128];
        WriteEnvironment(unit, area, environment);
        for (int i = 0; size > environment && i < 8; i++)
        {
            *(Extended*)(area + environment + (i * Extended.Bytes)) = unit[i];
        }

        if (!processor.StoreBytes(op, processor.Address(op), new ReadOnlySpan<byte>(area, size)))
        {
            return null;
        }

        if (size > environment)
        {
            unit.Initialize();
        }
        else
        {
            unit.Control |= (ushort)FloatFlags.All;
            unit.Summarise();
        }

        return op + 1;
    }

    /// <summary>FLDENV, FRSTOR.</summary>
    public static Op* LoadEnvironment(Processor processor, Op* op)
    {
        int size = op->Size;
        byte* area = stackalloc byte[128];
        if (!FloatingPointEntry.TryEnterWaiting(processor, op) || !processor.LoadBytes(op, processor.Address(op), new Span<byte>(area, size)))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        int environment = EnvironmentBytes(size);
        int step = environment / 7;
        unit.Status = *(ushort*)(area + step);
        unit.SetFullTags(*(ushort*)(area + (2 * step)));
        unit.InstructionPointer = Word(area, 3, step);
        unit.CodeSelector = *(ushort*)(area + (4 * step));
        unit.DataPointer = Word(area, 5, step);
        unit.DataSelector = *(ushort*)(area + (6 * step));
        for (int i = 0; size > environment && i < 8; i++)
        {
            unit[i] = *(Extended*)(area + environment + (i * Extended.Bytes));
        }

        SetControl(unit, *(ushort*)area);
        return op + 1;
    }

    private static int EnvironmentBytes(int size) => size is 28 or 108 ? 28 : 14;

    private static uint Word(byte* area, int index, int step) => step == 4 ? *(uint*)(area + (index * 4)) : *(ushort*)(area + (index * 2));

    /// <summary>Seven words of 16 or 32 bits; of the latter, the upper halves that mean nothing are ones (Intel SDM Vol. 1 figures 8-9 to 8-12).</summary>
    private static void WriteEnvironment(FloatingPointUnit unit, byte* area, int bytes)
    {
        ReadOnlySpan<uint> words =
        [
            unit.Control, unit.Status, unit.FullTags(), (uint)unit.InstructionPointer, unit.CodeSelector, (uint)unit.DataPointer, unit.DataSelector,
        ];
        for (int i = 0; i < words.Length; i++)
        {
            if (bytes == 14)
            {
                ((ushort*)area)[i] = (ushort)words[i];
            }
            else
            {
                ((uint*)area)[i] = i is 3 or 4 or 5 ? words[i] : words[i] | 0xFFFF_0000;
            }
        }
    }

    private static void SetControl(FloatingPointUnit unit, ushort value)
    {
        unit.Control = (ushort)((value & ControlBits) | ReservedControl);
        unit.Summarise();
    }
}
