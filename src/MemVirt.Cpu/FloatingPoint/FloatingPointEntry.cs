using System.Runtime.CompilerServices;
using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Execution;
using MemVirt.Cpu.FloatingPoint.Arithmetic;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.FloatingPoint;

/// <summary>How x87 instructions begin, and how they reach memory.</summary>
internal static unsafe class FloatingPointEntry
{
    private const ulong NumericError = 1 << 5;
    private const ulong EmulationOrTaskSwitched = 0xC;

    /// <summary>#NM with CR0.EM or CR0.TS: instructions that do not wait.</summary>
    public static bool TryEnterControl(Processor processor, Op* op)
    {
        if ((processor.Control.Cr0 & EmulationOrTaskSwitched) == 0)
        {
            return true;
        }

        processor.Raise(op, Vector.DeviceNotAvailable);
        return false;
    }

    /// <summary>Those that wait: #MF too where an exception is pending. With CR0.NE clear it is for IGNNE#, which is held asserted.</summary>
    public static bool TryEnterWaiting(Processor processor, Op* op)
    {
        if (!TryEnterControl(processor, op))
        {
            return false;
        }

        if (!processor.FloatingPoint.IsExceptionPending || (processor.Control.Cr0 & NumericError) == 0)
        {
            return true;
        }

        processor.Raise(op, Vector.FloatingPoint);
        return false;
    }

    /// <summary>Those that compute and have been given all they need of memory: they leave their address.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Note(Processor processor, Op* op)
    {
        FloatingPointUnit unit = processor.FloatingPoint;
        unit.InstructionPointer = processor.RipOf(op->Offset);
        unit.CodeSelector = processor.Segments[(int)SegmentName.Cs].Selector;
        if ((op->Traits & OpTraits.Memory) != 0)
        {
            unit.DataPointer = processor.Address(op) - processor.Register(op->Segment);
            unit.DataSelector = 0;
        }
    }

    /// <summary>Reads a memory operand as its format says.</summary>
    public static bool TryRead(Processor processor, Op* op, out Unpacked value)
    {
        var traits = (FloatingPointTraits)op->Extra;
        byte* buffer = stackalloc byte[16];
        value = default;
        if (!processor.LoadBytes(op, processor.Address(op), new Span<byte>(buffer, op->Size)))
        {
            return false;
        }

        value = (traits & FloatingPointTraits.Integer) != 0
            ? Unpacked.Of(op->Size switch { 2 => *(short*)buffer, 4 => *(int*)buffer, _ => *(long*)buffer })
            : (traits & FloatingPointTraits.Decimal) != 0 ? PackedDecimal.Read(new ReadOnlySpan<byte>(buffer, Extended.Bytes))
            : op->Size switch
            {
                4 => Unpacked.Of(FloatFormat.Single, *(uint*)buffer),
                8 => Unpacked.Of(FloatFormat.Double, *(ulong*)buffer),
                _ => Unpacked.Of(*(Extended*)buffer),
            };
        return true;
    }

    /// <summary>The stack is empty where an operand should be, or full: the result is the indefinite NaN where that is masked.</summary>
    public static bool TryStackFault(FloatingPointUnit unit, bool isOverflow)
        => unit.Settle(FloatFlags.Invalid | FloatFlags.StackFault, c1: isOverflow);
}
