using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.Execution;

/// <summary>What is no instruction, or none of this processor's: #UD.</summary>
internal static unsafe class Undefined
{
    public static Op* Execute(Processor processor, Op* op) => processor.Raise(op, Vector.InvalidOpcode);

    /// <summary>More than 15 bytes (Intel SDM Vol. 2A §2.3.11).</summary>
    public static Op* TooLong(Processor processor, Op* op) => processor.Raise(op, Vector.GeneralProtection);

    /// <summary>An instruction that exists but is not implemented; the processor tells who asked to know.</summary>
    public static Op* Unimplemented(Processor processor, Op* op)
    {
        const ulong EmulationOrTaskSwitched = 0xC;
        if (op->Detail == 1 && (processor.Control.Cr0 & EmulationOrTaskSwitched) != 0)
        {
            return processor.Raise(op, Vector.DeviceNotAvailable);
        }

        processor.Statistics.Unimplemented++;
        processor.UnimplementedMet?.Invoke(processor.RipOf(op->Offset), (Iced.Intel.Code)op->Extra);
        return processor.Raise(op, Vector.InvalidOpcode);
    }
}
