using Iced.Intel;
using MemVirt.Cpu.Execution;

namespace MemVirt.Cpu.Decoding;

/// <summary>Branches, calls, the stack.</summary>
internal static unsafe class TransferSelection
{
    public static bool TrySelect(in Instruction i, Op* op, int bitness)
    {
        op->Handler = i.Mnemonic switch
        {
            Mnemonic.Jmp => Jump(in i, op),
            Mnemonic.Call => Call(in i, op),
            Mnemonic.Ret => Return(in i, op),
            Mnemonic.Retf => FarReturn(in i, op),
            Mnemonic.Iret => Sized(op, 2, &FarReturns.InterruptReturn),
            Mnemonic.Iretd => Sized(op, 4, &FarReturns.InterruptReturn),
            Mnemonic.Iretq => Sized(op, 8, &FarReturns.InterruptReturn),
            Mnemonic.Loop => LoopOf(in i, op, 0),
            Mnemonic.Loope => LoopOf(in i, op, 1),
            Mnemonic.Loopne => LoopOf(in i, op, 2),
            Mnemonic.Jcxz => CounterJump(in i, op, 2),
            Mnemonic.Jecxz => CounterJump(in i, op, 4),
            Mnemonic.Jrcxz => CounterJump(in i, op, 8),
            Mnemonic.Push => Push(in i, op),
            Mnemonic.Pop => Pop(in i, op),
            Mnemonic.Pusha => &Stack.PushAll<Width16>,
            Mnemonic.Pushad => &Stack.PushAll<Width32>,
            Mnemonic.Popa => &Stack.PopAll<Width16>,
            Mnemonic.Popad => &Stack.PopAll<Width32>,
            Mnemonic.Pushf => &Stack.PushFlags<Width16>,
            Mnemonic.Pushfd => &Stack.PushFlags<Width32>,
            Mnemonic.Pushfq => &Stack.PushFlags<Width64>,
            Mnemonic.Popf => &Stack.PopFlags<Width16>,
            Mnemonic.Popfd => &Stack.PopFlags<Width32>,
            Mnemonic.Popfq => &Stack.PopFlags<Width64>,
            Mnemonic.Leave => i.Code switch
            {
                Code.Leavew => &Stack.Leave<Width16>,
                Code.Leaved => &Stack.Leave<Width32>,
                _ => &Stack.Leave<Width64>,
            },
            Mnemonic.Enter => Enter(in i, op),
            _ => i.FlowControl == FlowControl.ConditionalBranch && i.IsJccShortOrNear ? ConditionalJump(in i, op) : null,
        };
        bool usesStack = i.Mnemonic is Mnemonic.Call or Mnemonic.Ret or Mnemonic.Retf or Mnemonic.Iret or Mnemonic.Iretd or Mnemonic.Iretq
            or Mnemonic.Leave or Mnemonic.Enter || i.StackPointerIncrement != 0;
        if (usesStack && (op->Traits & OpTraits.Memory) == 0)
        {
            op->Traits |= OpTraits.Stack;
        }

        if (op->Handler != null && i.OpCount > 0 && i.Op0Kind == OpKind.NearBranch16)
        {
            op->Traits |= OpTraits.Branch16;
        }

        return op->Handler != null;
    }

    private static delegate*<Processor, Op*, Op*> ConditionalJump(in Instruction i, Op* op)
    {
        op->Immediate = i.NearBranchTarget;
        return Conditions.NumberOf(i.ConditionCode) switch
        {
            0 => &Conditional<IfOverflow>.Jump,
            1 => &Conditional<IfOverflow>.JumpNot,
            2 => &Conditional<IfBelow>.Jump,
            3 => &Conditional<IfBelow>.JumpNot,
            4 => &Conditional<IfEqual>.Jump,
            5 => &Conditional<IfEqual>.JumpNot,
            6 => &Conditional<IfBelowOrEqual>.Jump,
            7 => &Conditional<IfBelowOrEqual>.JumpNot,
            8 => &Conditional<IfSign>.Jump,
            9 => &Conditional<IfSign>.JumpNot,
            10 => &Conditional<IfParity>.Jump,
            11 => &Conditional<IfParity>.JumpNot,
            12 => &Conditional<IfLess>.Jump,
            13 => &Conditional<IfLess>.JumpNot,
            14 => &Conditional<IfLessOrEqual>.Jump,
            _ => &Conditional<IfLessOrEqual>.JumpNot,
        };
    }

    private static delegate*<Processor, Op*, Op*> Jump(in Instruction i, Op* op)
    {
        if (TryFar(in i, op))
        {
            return &FarTransfers.Jump;
        }

        switch (i.Op0Kind)
        {
            case OpKind.Register:
                op->Source = RegisterFile.OffsetOf(i.Op0Register);
                op->Size = (byte)i.Op0Register.GetSize();
                return &NearTransfers.JumpRegister;
            case OpKind.Memory:
                return i.MemorySize.GetSize() switch
                {
                    2 => &NearTransfers.JumpMemory<Width16>,
                    4 => &NearTransfers.JumpMemory<Width32>,
                    _ => &NearTransfers.JumpMemory<Width64>,
                };
            default:
                op->Immediate = i.NearBranchTarget;
                return &NearTransfers.Jump;
        }
    }

    private static delegate*<Processor, Op*, Op*> Call(in Instruction i, Op* op)
    {
        if (TryFar(in i, op))
        {
            return &FarTransfers.Call;
        }

        switch (i.Op0Kind)
        {
            case OpKind.Register:
                op->Source = RegisterFile.OffsetOf(i.Op0Register);
                return i.Op0Register.GetSize() switch
                {
                    2 => &NearTransfers.CallRegister<Width16>,
                    4 => &NearTransfers.CallRegister<Width32>,
                    _ => &NearTransfers.CallRegister<Width64>,
                };
            case OpKind.Memory:
                return i.MemorySize.GetSize() switch
                {
                    2 => &NearTransfers.CallMemory<Width16>,
                    4 => &NearTransfers.CallMemory<Width32>,
                    _ => &NearTransfers.CallMemory<Width64>,
                };
            default:
                op->Immediate = i.NearBranchTarget;
                return i.Op0Kind switch
                {
                    OpKind.NearBranch16 => &NearTransfers.Call<Width16>,
                    OpKind.NearBranch32 => &NearTransfers.Call<Width32>,
                    _ => &NearTransfers.Call<Width64>,
                };
        }
    }

    private static bool TryFar(in Instruction i, Op* op)
    {
        if (i.Op0Kind is OpKind.FarBranch16 or OpKind.FarBranch32)
        {
            op->Size = i.Op0Kind == OpKind.FarBranch16 ? (byte)2 : (byte)4;
            op->Immediate = i.Op0Kind == OpKind.FarBranch16 ? i.FarBranch16 : i.FarBranch32;
            op->Extra = i.FarBranchSelector;
            return true;
        }

        switch (i.MemorySize)
        {
            case MemorySize.SegPtr16 when i.Op0Kind == OpKind.Memory:
                op->Size = 2;
                return true;
            case MemorySize.SegPtr32 when i.Op0Kind == OpKind.Memory:
                op->Size = 4;
                return true;
            case MemorySize.SegPtr64 when i.Op0Kind == OpKind.Memory:
                op->Size = 8;
                return true;
            default:
                return false;
        }
    }

    private static delegate*<Processor, Op*, Op*> Return(in Instruction i, Op* op)
    {
        op->Immediate = i.OpCount == 1 ? i.GetImmediate(0) & 0xFFFF : 0;
        return i.Code switch
        {
            Code.Retnw or Code.Retnw_imm16 => &NearTransfers.Return<Width16>,
            Code.Retnd or Code.Retnd_imm16 => &NearTransfers.Return<Width32>,
            _ => &NearTransfers.Return<Width64>,
        };
    }

    private static delegate*<Processor, Op*, Op*> FarReturn(in Instruction i, Op* op)
    {
        op->Immediate = i.OpCount == 1 ? i.GetImmediate(0) & 0xFFFF : 0;
        op->Size = i.Code switch
        {
            Code.Retfw or Code.Retfw_imm16 => 2,
            Code.Retfd or Code.Retfd_imm16 => 4,
            _ => 8,
        };
        return &FarReturns.Return;
    }

    private static delegate*<Processor, Op*, Op*> LoopOf(in Instruction i, Op* op, int kind)
    {
        op->Detail = (ushort)kind;
        op->Immediate = i.NearBranchTarget;
        string name = i.Code.ToString();
        op->AddressMask = Operands.MaskOf(name.EndsWith("_RCX", StringComparison.Ordinal) ? 8 : name.EndsWith("_ECX", StringComparison.Ordinal) ? 4 : 2);
        return &NearTransfers.Loop;
    }

    private static delegate*<Processor, Op*, Op*> CounterJump(in Instruction i, Op* op, int bytes)
    {
        op->Immediate = i.NearBranchTarget;
        op->AddressMask = Operands.MaskOf(bytes);
        return &NearTransfers.JumpIfCounterIsZero;
    }

    private static delegate*<Processor, Op*, Op*> Push(in Instruction i, Op* op)
    {
        int bytes = -i.StackPointerIncrement;
        switch (i.Op0Kind)
        {
            case OpKind.Register when i.Op0Register.IsSegmentRegister():
                op->Detail = (ushort)(i.Op0Register - Register.ES);
                return bytes switch
                {
                    2 => &SegmentMoves.PushSegment<Width16>,
                    4 => &SegmentMoves.PushSegment<Width32>,
                    _ => &SegmentMoves.PushSegment<Width64>,
                };
            case OpKind.Register:
                op->Source = RegisterFile.OffsetOf(i.Op0Register);
                return bytes switch
                {
                    2 => &Stack.PushRegister<Width16>,
                    4 => &Stack.PushRegister<Width32>,
                    _ => &Stack.PushRegister<Width64>,
                };
            case OpKind.Memory:
                return bytes switch
                {
                    2 => &Stack.PushMemory<Width16>,
                    4 => &Stack.PushMemory<Width32>,
                    _ => &Stack.PushMemory<Width64>,
                };
            default:
                op->Immediate = i.GetImmediate(0);
                return bytes switch
                {
                    2 => &Stack.PushImmediate<Width16>,
                    4 => &Stack.PushImmediate<Width32>,
                    _ => &Stack.PushImmediate<Width64>,
                };
        }
    }

    private static delegate*<Processor, Op*, Op*> Pop(in Instruction i, Op* op)
    {
        int bytes = i.StackPointerIncrement;
        if (i.Op0Kind == OpKind.Register && i.Op0Register.IsSegmentRegister())
        {
            op->Detail = (ushort)(i.Op0Register - Register.ES);
            return bytes switch
            {
                2 => &SegmentMoves.PopSegment<Width16>,
                4 => &SegmentMoves.PopSegment<Width32>,
                _ => &SegmentMoves.PopSegment<Width64>,
            };
        }

        if (i.Op0Kind == OpKind.Register)
        {
            op->Destination = RegisterFile.OffsetOf(i.Op0Register);
            return bytes switch
            {
                2 => &Stack.PopRegister<Width16>,
                4 => &Stack.PopRegister<Width32>,
                _ => &Stack.PopRegister<Width64>,
            };
        }

        return bytes switch
        {
            2 => &Stack.PopMemory<Width16>,
            4 => &Stack.PopMemory<Width32>,
            _ => &Stack.PopMemory<Width64>,
        };
    }

    private static delegate*<Processor, Op*, Op*> Enter(in Instruction i, Op* op)
    {
        op->Immediate = i.Immediate16;
        op->Extra = i.Immediate8_2nd;
        return i.Code switch
        {
            Code.Enterw_imm16_imm8 => &Stack.Enter<Width16>,
            Code.Enterd_imm16_imm8 => &Stack.Enter<Width32>,
            _ => &Stack.Enter<Width64>,
        };
    }

    private static delegate*<Processor, Op*, Op*> Sized(Op* op, int bytes, delegate*<Processor, Op*, Op*> handler)
    {
        op->Size = (byte)bytes;
        return handler;
    }
}
