using Iced.Intel;
using MemVirt.Cpu.Vectors;

namespace MemVirt.Cpu.Decoding;

/// <summary>Instructions with an operand in an MM register: MMX, and its part of SSE and SSE2.</summary>
internal static unsafe class MmxSelection
{
    public static bool TrySelect(in Instruction i, Op* op)
    {
        op->Detail = (ushort)i.Mnemonic;
        op->Handler = i.Mnemonic switch
        {
            Mnemonic.Emms => &MmxExecution.Empty,
            Mnemonic.Cvtpi2ps or Mnemonic.Cvtpi2pd => Convert(in i, op, &MmxExecution.ConvertFromMmx),
            Mnemonic.Cvtps2pi or Mnemonic.Cvttps2pi or Mnemonic.Cvtpd2pi or Mnemonic.Cvttpd2pi => Convert(in i, op, &MmxExecution.ConvertToMmx),
            Mnemonic.Movq2dq => Convert(in i, op, &MmxExecution.MoveToVector),
            Mnemonic.Movdq2q => Convert(in i, op, &MmxExecution.MoveFromVector),
            Mnemonic.Maskmovq => Masked(in i, op),
            Mnemonic.Pextrw or Mnemonic.Pmovmskb => IsMmx(in i, 1) ? General(in i, op) : null,
            _ when i.OpCount < 2 => null,
            Mnemonic.Movd or Mnemonic.Movq or Mnemonic.Movntq when IsMmx(in i, 1) && !IsMmx(in i, 0) => General(in i, op),
            _ when !IsMmx(in i, 0) => null,
            Mnemonic.Pinsrw => Insert(in i, op),
            Mnemonic.Movd or Mnemonic.Movq when i.Op1Kind == OpKind.Register && i.Op1Register.IsGPR() => Insert(in i, op),
            _ => Compute(in i, op),
        };
        return op->Handler != null;
    }

    private static delegate*<Processor, Op*, Op*> Compute(in Instruction i, Op* op)
    {
        ulong nothing = 0;
        if (i.Mnemonic is not (Mnemonic.Movd or Mnemonic.Movq) && !MmxIntegers.TryApply(i.Mnemonic, ref nothing, 0, 0))
        {
            return null;
        }

        op->Destination = OffsetOf(i.Op0Register);
        op->Immediate = i.OpCount == 3 ? i.GetImmediate(2) : 0;
        if (i.Op1Kind == OpKind.Immediate8)
        {
            op->Source = VectorExecution.ImmediateSource;
            op->Immediate = i.Immediate8;
            return &MmxExecution.Compute;
        }

        TakeSource(in i, op);
        return &MmxExecution.Compute;
    }

    private static delegate*<Processor, Op*, Op*> Convert(in Instruction i, Op* op, delegate*<Processor, Op*, Op*> handler)
    {
        op->Destination = OffsetOf(i.Op0Register);
        TakeSource(in i, op);
        op->Size = i.Mnemonic is Mnemonic.Cvtpd2pi or Mnemonic.Cvttpd2pi ? (byte)16 : (byte)8;
        return handler;
    }

    /// <summary>To a general register, or memory.</summary>
    private static delegate*<Processor, Op*, Op*> General(in Instruction i, Op* op)
    {
        op->Source = OffsetOf(i.Op1Register);
        op->Immediate = i.OpCount == 3 ? i.GetImmediate(2) : 0;
        if (i.Op0Kind == OpKind.Memory)
        {
            op->Size = (byte)i.MemorySize.GetSize();
            return &MmxExecution.Store;
        }

        op->Destination = RegisterFile.OffsetOf(i.Op0Register);
        op->Size = (byte)i.Op0Register.GetSize();
        return &MmxExecution.ToGeneral;
    }

    /// <summary>From a general register; PINSRW from memory too.</summary>
    private static delegate*<Processor, Op*, Op*> Insert(in Instruction i, Op* op)
    {
        op->Destination = OffsetOf(i.Op0Register);
        op->Immediate = i.OpCount == 3 ? i.GetImmediate(2) : 0;
        if (i.Op1Kind == OpKind.Memory)
        {
            op->Size = (byte)i.MemorySize.GetSize();
            return &MmxExecution.FromGeneral;
        }

        op->Source = RegisterFile.OffsetOf(i.Op1Register);
        op->Size = (byte)i.Op1Register.GetSize();
        return &MmxExecution.FromGeneral;
    }

    private static delegate*<Processor, Op*, Op*> Masked(in Instruction i, Op* op)
    {
        op->Destination = OffsetOf(i.Op1Register);
        op->Source = OffsetOf(i.Op2Register);
        Operands.TakeMaskedTarget(in i, op);
        return &MmxExecution.MaskedMove;
    }

    private static void TakeSource(in Instruction i, Op* op)
    {
        if (i.Op1Kind == OpKind.Memory)
        {
            op->Size = (byte)i.MemorySize.GetSize();
        }
        else
        {
            op->Source = OffsetOf(i.Op1Register);
        }
    }

    private static bool IsMmx(in Instruction i, int operand)
        => i.GetOpKind(operand) == OpKind.Register && i.GetOpRegister(operand).IsMM();

    /// <summary>The number of an MM register, the offset of an XMM register.</summary>
    private static byte OffsetOf(Register register)
        => (byte)(register.IsMM() ? register - Register.MM0 : (register - Register.XMM0) * 16);
}
