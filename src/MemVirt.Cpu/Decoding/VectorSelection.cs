using Iced.Intel;
using MemVirt.Cpu.Vectors;

namespace MemVirt.Cpu.Decoding;

/// <summary>SSE, SSE2 and SSE3.</summary>
internal static unsafe class VectorSelection
{
    public static bool TrySelect(in Instruction i, Op* op)
    {
        op->Detail = (ushort)i.Mnemonic;
        op->Handler = i.Mnemonic switch
        {
            Mnemonic.Movaps or Mnemonic.Movapd or Mnemonic.Movdqa or Mnemonic.Movntdq or Mnemonic.Movntps or Mnemonic.Movntpd
                => Whole(in i, op, isAligned: true),
            Mnemonic.Movups or Mnemonic.Movupd or Mnemonic.Movdqu or Mnemonic.Lddqu => Whole(in i, op, isAligned: false),
            Mnemonic.Movnti => General(in i, op),
            Mnemonic.Movss or Mnemonic.Movsd or Mnemonic.Movlps or Mnemonic.Movlpd or Mnemonic.Movhps or Mnemonic.Movhpd
                or Mnemonic.Movhlps or Mnemonic.Movlhps or Mnemonic.Movddup or Mnemonic.Movsldup or Mnemonic.Movshdup => Part(in i, op),
            Mnemonic.Movd or Mnemonic.Movq => MoveOf(in i, op),
            Mnemonic.Cvtsi2ss or Mnemonic.Cvtsi2sd or Mnemonic.Pinsrw => In(in i, op),
            Mnemonic.Cvtss2si or Mnemonic.Cvttss2si or Mnemonic.Cvtsd2si or Mnemonic.Cvttsd2si or Mnemonic.Pextrw or Mnemonic.Pmovmskb
                or Mnemonic.Movmskps or Mnemonic.Movmskpd => Out(in i, op),
            Mnemonic.Maskmovdqu => Masked(in i, op),
            Mnemonic.Ldmxcsr => &VectorExecution.LoadControl,
            Mnemonic.Stmxcsr => &VectorExecution.StoreControl,
            _ => Compute(in i, op),
        };
        return op->Handler != null;
    }

    private static delegate*<Processor, Op*, Op*> Compute(in Instruction i, Op* op)
    {
        if (i.OpCount < 2 || !IsVector(in i, 0) || !IsKnown(i.Mnemonic))
        {
            return null;
        }

        op->Destination = OffsetOf(i.Op0Register);
        switch (i.Op1Kind)
        {
            case OpKind.Register when IsVector(in i, 1):
                op->Source = OffsetOf(i.Op1Register);
                break;
            case OpKind.Memory:
                op->Size = (byte)i.MemorySize.GetSize();
                break;
            case OpKind.Immediate8:
                op->Source = VectorExecution.ImmediateSource;
                op->Immediate = i.Immediate8;
                return &VectorExecution.ComputeIntegers;
            default:
                return null;
        }

        op->Immediate = i.OpCount == 3 ? i.GetImmediate(2) : 0;
        return VectorFloats.Knows(i.Mnemonic) ? &VectorExecution.ComputeFloats : &VectorExecution.ComputeIntegers;
    }

    /// <summary>Whether one executes it: of integers, asked once with harmless operands.</summary>
    private static bool IsKnown(Mnemonic mnemonic)
    {
        byte* operands = stackalloc byte[32];
        new Span<byte>(operands, 32).Clear();
        return VectorFloats.Knows(mnemonic) || VectorIntegers.TryApply(mnemonic, operands, operands + 16, 0);
    }

    private static delegate*<Processor, Op*, Op*> Whole(in Instruction i, Op* op, bool isAligned)
    {
        op->Extra = isAligned ? 0UL : 1;
        if (i.Op0Kind == OpKind.Memory)
        {
            op->Source = OffsetOf(i.Op1Register);
            return &VectorExecution.Store16;
        }

        op->Destination = OffsetOf(i.Op0Register);
        if (i.Op1Kind == OpKind.Memory)
        {
            return &VectorExecution.Load16;
        }

        op->Source = OffsetOf(i.Op1Register);
        return &VectorExecution.Move16;
    }

    private static delegate*<Processor, Op*, Op*> Part(in Instruction i, Op* op)
    {
        op->Extra = 0;
        op->Size = (byte)i.MemorySize.GetSize();
        if (i.Op0Kind == OpKind.Memory)
        {
            op->Destination = VectorExecution.ImmediateSource;
            op->Source = OffsetOf(i.Op1Register);
            return &VectorExecution.Other;
        }

        op->Destination = OffsetOf(i.Op0Register);
        if (i.Op1Kind == OpKind.Register)
        {
            op->Source = OffsetOf(i.Op1Register);
        }

        return &VectorExecution.Other;
    }

    private static delegate*<Processor, Op*, Op*> MoveOf(in Instruction i, Op* op)
    {
        bool isLong = i.Mnemonic == Mnemonic.Movq;
        op->Size = isLong ? (byte)8 : (byte)4;
        if (IsVector(in i, 0) && (IsVector(in i, 1) || i.Op1Kind == OpKind.Memory))
        {
            return Part(in i, op);
        }

        if (IsVector(in i, 0))
        {
            return In(in i, op);
        }

        return i.Op1Kind == OpKind.Register && IsVector(in i, 1) ? Out(in i, op) : null;
    }

    private static delegate*<Processor, Op*, Op*> In(in Instruction i, Op* op)
    {
        if (!IsVector(in i, 0))
        {
            return null;
        }

        op->Destination = OffsetOf(i.Op0Register);
        if (i.Op1Kind == OpKind.Register)
        {
            if (!i.Op1Register.IsGPR())
            {
                return null;
            }

            op->Source = RegisterFile.OffsetOf(i.Op1Register);
            op->Size = (byte)i.Op1Register.GetSize();
        }
        else
        {
            op->Size = (byte)i.MemorySize.GetSize();
        }

        op->Immediate = i.OpCount == 3 ? i.GetImmediate(2) : 0;
        return &VectorExecution.FromGeneral;
    }

    private static delegate*<Processor, Op*, Op*> Out(in Instruction i, Op* op)
    {
        if (i.Op0Kind == OpKind.Register)
        {
            op->Destination = RegisterFile.OffsetOf(i.Op0Register);
            op->Size = (byte)i.Op0Register.GetSize();
        }
        else
        {
            op->Size = (byte)i.MemorySize.GetSize();
        }

        if (i.Op1Kind == OpKind.Register)
        {
            if (!IsVector(in i, 1))
            {
                return null;
            }

            op->Source = OffsetOf(i.Op1Register);
        }

        op->Immediate = i.OpCount == 3 ? i.GetImmediate(2) : 0;
        return &VectorExecution.ToGeneral;
    }

    private static delegate*<Processor, Op*, Op*> Masked(in Instruction i, Op* op)
    {
        op->Destination = OffsetOf(i.Op1Register);
        op->Source = OffsetOf(i.Op2Register);
        Operands.TakeMaskedTarget(in i, op);
        return &VectorExecution.MaskedMove;
    }

    private static delegate*<Processor, Op*, Op*> General(in Instruction i, Op* op)
    {
        op->Source = RegisterFile.OffsetOf(i.Op1Register);
        return i.Op1Register.GetSize() == 4
            ? &Execution.Move<Execution.Width32>.MemoryRegister : &Execution.Move<Execution.Width64>.MemoryRegister;
    }

    private static bool IsVector(in Instruction i, int operand)
        => i.GetOpKind(operand) == OpKind.Register && i.GetOpRegister(operand).IsXMM();

    private static byte OffsetOf(Register register) => (byte)((register - Register.XMM0) * 16);
}
