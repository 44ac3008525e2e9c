using MemVirt.Cpu.Decoding;

namespace MemVirt.Cpu.Execution;

/// <summary>Operands of system instructions: words, and what user mode may not see.</summary>
internal static unsafe class SystemOperands
{
    private const ulong UserModeInstructionPrevention = 1UL << 11;

    internal static bool TryWord(Processor processor, Op* op, out ulong value)
    {
        if ((op->Traits & OpTraits.Memory) != 0)
        {
            return processor.Load<Width16>(op, processor.Address(op), out value);
        }

        value = Width16.Get(processor.R + op->Source);
        return true;
    }

    /// <summary>A word to memory; to a register of the operand's size, zero-extended.</summary>
    internal static Op* PutSelector(Processor processor, Op* op, ulong value)
    {
        if ((op->Traits & OpTraits.Memory) != 0)
        {
            return processor.Store<Width16>(op, processor.Address(op), value) ? op + 1 : null;
        }

        byte* register = processor.R + op->Destination;
        switch (op->Size)
        {
            case 2:
                Width16.PutRegister(register, value);
                break;
            case 4:
                Width32.PutRegister(register, value);
                break;
            default:
                Width64.PutRegister(register, value);
                break;
        }

        return op + 1;
    }

    internal static bool IsPrevented(Processor processor)
        => processor.CurrentPrivilegeLevel != 0 && (processor.Control.Cr4 & UserModeInstructionPrevention) != 0;
}
