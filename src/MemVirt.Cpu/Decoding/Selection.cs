using Iced.Intel;
using MemVirt.Cpu.Execution;

namespace MemVirt.Cpu.Decoding;

/// <summary>Chooses what executes an instruction.</summary>
internal static unsafe class Selection
{
    /// <summary>Sets the handler and the operands; returns whether the block ends with the instruction.</summary>
    public static bool Select(in Instruction instruction, Op* op, int bitness)
    {
        bool isLockable = !instruction.HasLockPrefix || (op->Traits & OpTraits.Memory) != 0;
        bool selected = isLockable
            && (IntegerSelection.TrySelect(in instruction, op, bitness)
                || TransferSelection.TrySelect(in instruction, op, bitness)
                || SystemSelection.TrySelect(in instruction, op, bitness)
                || VectorSelection.TrySelect(in instruction, op)
                || MmxSelection.TrySelect(in instruction, op)
                || FloatingPointSelection.TrySelect(in instruction, op));
        if (!selected)
        {
            op->Extra = (ulong)instruction.Code;
            op->Detail = instruction.CpuidFeatures.AsSpan().Contains(CpuidFeature.FPU) ? (ushort)1 : (ushort)0;
            op->Handler = isLockable ? &Undefined.Unimplemented : &Undefined.Execute;
            return true;
        }

        return instruction.FlowControl is not (FlowControl.Next or FlowControl.ConditionalBranch);
    }

    /// <summary>Bytes of an operand: of a register, a memory operand, or the immediate's destination.</summary>
    public static int SizeOf(in Instruction instruction, int operand)
        => instruction.GetOpKind(operand) switch
        {
            OpKind.Register => instruction.GetOpRegister(operand).GetSize(),
            OpKind.Memory => instruction.MemorySize.GetSize(),
            OpKind.Immediate16 or OpKind.Immediate8to16 => 2,
            OpKind.Immediate32 or OpKind.Immediate8to32 => 4,
            OpKind.Immediate64 or OpKind.Immediate8to64 or OpKind.Immediate32to64 => 8,
            _ => 1,
        };
}
