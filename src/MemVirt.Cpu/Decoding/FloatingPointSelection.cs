using Iced.Intel;
using MemVirt.Cpu.FloatingPoint;
using MemVirt.Cpu.Vectors;

namespace MemVirt.Cpu.Decoding;

/// <summary>The x87 unit, and what saves it. Not here: FSIN, FCOS, FSINCOS, FPTAN, FPATAN, F2XM1, FYL2X, FYL2XP1.</summary>
internal static unsafe class FloatingPointSelection
{
    public static bool TrySelect(in Instruction i, Op* op)
    {
        op->Extra = (ulong)TraitsOf(in i);
        op->Detail = DetailOf(in i);
        op->Source = i.Mnemonic is Mnemonic.Fcompp or Mnemonic.Fucompp ? (byte)1 : RegisterOf(in i, i.OpCount - 1);
        op->Destination = RegisterOf(in i, 0);
        if ((op->Traits & OpTraits.Memory) != 0)
        {
            op->Size = (byte)i.MemorySize.GetSize();
        }

        op->Handler = HandlerOf(in i, op);
        return op->Handler != null;
    }

    private static delegate*<Processor, Op*, Op*> HandlerOf(in Instruction i, Op* op)
    {
        bool isMemory = (op->Traits & OpTraits.Memory) != 0;
        switch (i.Mnemonic)
        {
            case Mnemonic.Fxsave or Mnemonic.Fxrstor or Mnemonic.Fxsave64 or Mnemonic.Fxrstor64:
                op->Size = i.Mnemonic is Mnemonic.Fxsave64 or Mnemonic.Fxrstor64 ? (byte)8 : (byte)4;
                return i.Mnemonic is Mnemonic.Fxsave or Mnemonic.Fxsave64 ? &SaveArea.Save : &SaveArea.Restore;
            case Mnemonic.Fadd or Mnemonic.Faddp or Mnemonic.Fiadd or Mnemonic.Fmul or Mnemonic.Fmulp or Mnemonic.Fimul
                or Mnemonic.Fsub or Mnemonic.Fsubp or Mnemonic.Fisub or Mnemonic.Fsubr or Mnemonic.Fsubrp or Mnemonic.Fisubr
                or Mnemonic.Fdiv or Mnemonic.Fdivp or Mnemonic.Fidiv or Mnemonic.Fdivr or Mnemonic.Fdivrp or Mnemonic.Fidivr:
                return &FloatingPointArithmetic.Binary;
            case Mnemonic.Fsqrt or Mnemonic.Frndint or Mnemonic.Fscale:
                return &FloatingPointArithmetic.Unary;
            case Mnemonic.Fchs or Mnemonic.Fabs:
                return &FloatingPointArithmetic.Sign;
            case Mnemonic.Fxtract:
                return &FloatingPointArithmetic.Extract;
            case Mnemonic.Fprem or Mnemonic.Fprem1:
                return &FloatingPointArithmetic.Remainder;
            case Mnemonic.Fld when isMemory && op->Size == 10:
                return &FloatingPointTransfers.LoadExtended;
            case Mnemonic.Fld or Mnemonic.Fild or Mnemonic.Fbld:
                return isMemory ? &FloatingPointTransfers.LoadMemory : &FloatingPointTransfers.LoadRegister;
            case Mnemonic.Fld1 or Mnemonic.Fldl2t or Mnemonic.Fldl2e or Mnemonic.Fldpi or Mnemonic.Fldlg2 or Mnemonic.Fldln2
                or Mnemonic.Fldz:
                return &FloatingPointTransfers.LoadConstant;
            case Mnemonic.Fst or Mnemonic.Fstp or Mnemonic.Fist or Mnemonic.Fistp or Mnemonic.Fisttp or Mnemonic.Fbstp
                or Mnemonic.Fstpnce:
                return isMemory ? &FloatingPointTransfers.StoreMemory : &FloatingPointTransfers.StoreRegister;
            case Mnemonic.Fxch:
                return &FloatingPointTransfers.Exchange;
            case Mnemonic.Fcmovb or Mnemonic.Fcmove or Mnemonic.Fcmovbe or Mnemonic.Fcmovu or Mnemonic.Fcmovnb or Mnemonic.Fcmovne
                or Mnemonic.Fcmovnbe or Mnemonic.Fcmovnu:
                return &FloatingPointTransfers.ConditionalMove;
            case Mnemonic.Fcom or Mnemonic.Fcomp or Mnemonic.Fcompp or Mnemonic.Fucom or Mnemonic.Fucomp or Mnemonic.Fucompp or Mnemonic.Ficom
                or Mnemonic.Ficomp or Mnemonic.Fcomi or Mnemonic.Fcomip or Mnemonic.Fucomi or Mnemonic.Fucomip:
                return &FloatingPointComparisons.Compare;
            case Mnemonic.Ftst:
                return &FloatingPointComparisons.Test;
            case Mnemonic.Fxam:
                return &FloatingPointComparisons.Examine;
            default:
                return ControlOf(i.Mnemonic);
        }
    }

    private static delegate*<Processor, Op*, Op*> ControlOf(Mnemonic mnemonic) => mnemonic switch
    {
        Mnemonic.Fninit => &FloatingPointControl.Initialize,
        Mnemonic.Fnclex => &FloatingPointControl.ClearExceptions,
        Mnemonic.Fnstcw => &FloatingPointControl.StoreControl,
        Mnemonic.Fldcw => &FloatingPointControl.LoadControl,
        Mnemonic.Fnstsw => &FloatingPointControl.StoreStatus,
        Mnemonic.Fnstenv or Mnemonic.Fnsave => &FloatingPointControl.StoreEnvironment,
        Mnemonic.Fldenv or Mnemonic.Frstor => &FloatingPointControl.LoadEnvironment,
        Mnemonic.Fincstp or Mnemonic.Fdecstp => &FloatingPointControl.MoveTop,
        Mnemonic.Ffree or Mnemonic.Ffreep => &FloatingPointControl.Free,
        Mnemonic.Fnop or Mnemonic.Fneni or Mnemonic.Fndisi or Mnemonic.Fnsetpm => &FloatingPointControl.Nothing,
        Mnemonic.Wait => &FloatingPointControl.Wait,
        _ => null,
    };

    private static FloatingPointTraits TraitsOf(in Instruction i) => i.Mnemonic switch
    {
        Mnemonic.Faddp or Mnemonic.Fmulp or Mnemonic.Fsubp or Mnemonic.Fdivp or Mnemonic.Fstp or Mnemonic.Fcomp or Mnemonic.Ffreep => FloatingPointTraits.Pop,
        Mnemonic.Fsubr or Mnemonic.Fdivr => FloatingPointTraits.Reversed,
        Mnemonic.Fsubrp or Mnemonic.Fdivrp => FloatingPointTraits.Reversed | FloatingPointTraits.Pop,
        Mnemonic.Fiadd or Mnemonic.Fimul or Mnemonic.Fisub or Mnemonic.Fidiv or Mnemonic.Fild or Mnemonic.Fist or Mnemonic.Ficom => FloatingPointTraits.Integer,
        Mnemonic.Fisubr or Mnemonic.Fidivr => FloatingPointTraits.Integer | FloatingPointTraits.Reversed,
        Mnemonic.Fistp or Mnemonic.Ficomp => FloatingPointTraits.Integer | FloatingPointTraits.Pop,
        Mnemonic.Fisttp => FloatingPointTraits.Integer | FloatingPointTraits.Pop | FloatingPointTraits.Truncates,
        Mnemonic.Fstpnce => FloatingPointTraits.Quiet | FloatingPointTraits.Pop,
        Mnemonic.Fbld => FloatingPointTraits.Decimal,
        Mnemonic.Fbstp => FloatingPointTraits.Decimal | FloatingPointTraits.Pop,
        Mnemonic.Fcompp => FloatingPointTraits.PopTwice,
        Mnemonic.Fucom => FloatingPointTraits.Quiet,
        Mnemonic.Fucomp => FloatingPointTraits.Quiet | FloatingPointTraits.Pop,
        Mnemonic.Fucompp => FloatingPointTraits.Quiet | FloatingPointTraits.PopTwice,
        Mnemonic.Fcomi => FloatingPointTraits.ToFlags,
        Mnemonic.Fcomip => FloatingPointTraits.ToFlags | FloatingPointTraits.Pop,
        Mnemonic.Fucomi => FloatingPointTraits.ToFlags | FloatingPointTraits.Quiet,
        Mnemonic.Fucomip => FloatingPointTraits.ToFlags | FloatingPointTraits.Quiet | FloatingPointTraits.Pop,
        _ => FloatingPointTraits.None,
    };

    private static ushort DetailOf(in Instruction i) => i.Mnemonic switch
    {
        Mnemonic.Fmul or Mnemonic.Fmulp or Mnemonic.Fimul => (ushort)FloatingPointOperation.Multiply,
        Mnemonic.Fsub or Mnemonic.Fsubp or Mnemonic.Fisub or Mnemonic.Fsubr or Mnemonic.Fsubrp or Mnemonic.Fisubr => (ushort)FloatingPointOperation.Subtract,
        Mnemonic.Fdiv or Mnemonic.Fdivp or Mnemonic.Fidiv or Mnemonic.Fdivr or Mnemonic.Fdivrp or Mnemonic.Fidivr => (ushort)FloatingPointOperation.Divide,
        Mnemonic.Fsqrt => (ushort)FloatingPointOperation.SquareRoot,
        Mnemonic.Frndint => (ushort)FloatingPointOperation.RoundToInteger,
        Mnemonic.Fscale => (ushort)FloatingPointOperation.Scale,
        Mnemonic.Fchs => (ushort)FloatingPointOperation.ChangeSign,
        Mnemonic.Fabs => (ushort)FloatingPointOperation.Absolute,
        Mnemonic.Fprem => (ushort)FloatingPointOperation.Remainder,
        Mnemonic.Fprem1 => (ushort)FloatingPointOperation.RemainderToNearest,
        Mnemonic.Fldl2t => 1,
        Mnemonic.Fldl2e => 2,
        Mnemonic.Fldpi => 3,
        Mnemonic.Fldlg2 => 4,
        Mnemonic.Fldln2 => 5,
        Mnemonic.Fldz => 6,
        Mnemonic.Fincstp => 1,
        Mnemonic.Fdecstp => 7,
        Mnemonic.Fcmovb => 2,
        Mnemonic.Fcmovnb => 3,
        Mnemonic.Fcmove => 4,
        Mnemonic.Fcmovne => 5,
        Mnemonic.Fcmovbe => 6,
        Mnemonic.Fcmovnbe => 7,
        Mnemonic.Fcmovu => 10,
        Mnemonic.Fcmovnu => 11,
        _ => (ushort)FloatingPointOperation.Add,
    };

    /// <summary>i of ST(i).</summary>
    private static byte RegisterOf(in Instruction i, int operand)
    {
        bool isRegister = operand >= 0 && i.GetOpKind(operand) == OpKind.Register && i.GetOpRegister(operand) is >= Register.ST0 and <= Register.ST7;
        return isRegister ? (byte)(i.GetOpRegister(operand) - Register.ST0) : (byte)0;
    }
}
