using Iced.Intel;
using MemVirt.Cpu.Execution;

namespace MemVirt.Cpu.Decoding;

/// <summary>The integer instructions, strings among them.</summary>
internal static unsafe class IntegerSelection
{
    public static bool TrySelect(in Instruction i, Op* op, int bitness)
    {
        op->Handler = i.Mnemonic switch
        {
            Mnemonic.Add => Two<Add>(in i, op),
            Mnemonic.Adc => Two<AddWithCarry>(in i, op),
            Mnemonic.Sub => Two<Subtract>(in i, op),
            Mnemonic.Sbb => Two<SubtractWithBorrow>(in i, op),
            Mnemonic.Cmp => Two<Compare>(in i, op),
            Mnemonic.And => Two<And>(in i, op),
            Mnemonic.Or => Two<Or>(in i, op),
            Mnemonic.Xor => Two<ExclusiveOr>(in i, op),
            Mnemonic.Test => Two<Test>(in i, op),
            Mnemonic.Mov => MoveOf(in i, op),
            Mnemonic.Lea => Lea(in i, op),
            Mnemonic.Movzx => ExtendOf(in i, op, isSigned: false),
            Mnemonic.Movsx or Mnemonic.Movsxd => ExtendOf(in i, op, isSigned: true),
            Mnemonic.Xchg => Exchange(in i, op),
            Mnemonic.Inc => One<Increment>(in i, op),
            Mnemonic.Dec => One<Decrement>(in i, op),
            Mnemonic.Neg => One<Negate>(in i, op),
            Mnemonic.Not => One<Not>(in i, op),
            Mnemonic.Shl or Mnemonic.Sal => Shift<ShiftLeft<ImmediateCount>, ShiftLeft<ClCount>>(in i, op),
            Mnemonic.Shr => Shift<ShiftRight<ImmediateCount>, ShiftRight<ClCount>>(in i, op),
            Mnemonic.Sar => Shift<ShiftRightArithmetic<ImmediateCount>, ShiftRightArithmetic<ClCount>>(in i, op),
            Mnemonic.Rol => Shift<RotateLeft<ImmediateCount>, RotateLeft<ClCount>>(in i, op),
            Mnemonic.Ror => Shift<RotateRight<ImmediateCount>, RotateRight<ClCount>>(in i, op),
            Mnemonic.Rcl => Shift<RotateCarryLeft<ImmediateCount>, RotateCarryLeft<ClCount>>(in i, op),
            Mnemonic.Rcr => Shift<RotateCarryRight<ImmediateCount>, RotateCarryRight<ClCount>>(in i, op),
            Mnemonic.Shld => ShiftDouble<ShiftLeftDouble<ImmediateCount>, ShiftLeftDouble<ClCount>>(in i, op),
            Mnemonic.Shrd => ShiftDouble<ShiftRightDouble<ImmediateCount>, ShiftRightDouble<ClCount>>(in i, op),
            Mnemonic.Mul => Wide(in i, op, 0),
            Mnemonic.Imul => i.OpCount switch { 1 => Wide(in i, op, 1), 2 => Wide(in i, op, 2), _ => Wide(in i, op, 3) },
            Mnemonic.Div => Wide(in i, op, 4),
            Mnemonic.Idiv => Wide(in i, op, 5),
            Mnemonic.Bt => BitOf<KeepBit>(in i, op),
            Mnemonic.Bts => BitOf<SetBit>(in i, op),
            Mnemonic.Btr => BitOf<ResetBit>(in i, op),
            Mnemonic.Btc => BitOf<ComplementBit>(in i, op),
            Mnemonic.Bsf or Mnemonic.Tzcnt => Scan(in i, op, 0),
            Mnemonic.Bsr or Mnemonic.Lzcnt => Scan(in i, op, 1),
            Mnemonic.Popcnt => Scan(in i, op, 2),
            Mnemonic.Bswap => ByWidth(Place(in i, op), &Move<Width16>.ByteSwap, &Move<Width16>.ByteSwap, &Move<Width32>.ByteSwap, &Move<Width64>.ByteSwap),
            Mnemonic.Xadd => ExchangeAdd(in i, op),
            Mnemonic.Cmpxchg => CompareExchange(in i, op),
            Mnemonic.Cmpxchg8b => Pair(op, 8),
            Mnemonic.Cmpxchg16b => Pair(op, 16),
            >= Mnemonic.Cmova and <= Mnemonic.Cmovs => ConditionalMove(in i, op),
            >= Mnemonic.Seta and <= Mnemonic.Sets => SetOf(in i, op),
            Mnemonic.Cbw => &Accumulator.ConvertByte,
            Mnemonic.Cwde => &Accumulator.ConvertWord,
            Mnemonic.Cdqe => &Accumulator.ConvertDoubleword,
            Mnemonic.Cwd => &Accumulator.SignInto<Width16>,
            Mnemonic.Cdq => &Accumulator.SignInto<Width32>,
            Mnemonic.Cqo => &Accumulator.SignInto<Width64>,
            Mnemonic.Xlatb => TranslateOf(in i, op, bitness),
            Mnemonic.Daa => &Accumulator.DecimalAdjustAdd,
            Mnemonic.Das => &Accumulator.DecimalAdjustSubtract,
            Mnemonic.Aaa => &Accumulator.AsciiAdjustAdd,
            Mnemonic.Aas => &Accumulator.AsciiAdjustSubtract,
            Mnemonic.Aam => WithImmediate(in i, op, &Accumulator.AsciiAdjustMultiply),
            Mnemonic.Aad => WithImmediate(in i, op, &Accumulator.AsciiAdjustDivide),
            Mnemonic.Bound => BoundOf(in i, op),
            Mnemonic.Clc => &FlagWrites.ClearCarry,
            Mnemonic.Stc => &FlagWrites.SetCarry,
            Mnemonic.Cmc => &FlagWrites.ComplementCarry,
            Mnemonic.Cld => &FlagWrites.ClearDirection,
            Mnemonic.Std => &FlagWrites.SetDirection,
            Mnemonic.Lahf => &FlagWrites.LoadAh,
            Mnemonic.Sahf => &FlagWrites.StoreAh,
            Mnemonic.Movsb or Mnemonic.Movsw or Mnemonic.Movsq => StringOf(in i, op, bitness, 0),
            Mnemonic.Movsd when i.Op0Kind != OpKind.Register && i.Op1Kind != OpKind.Register => StringOf(in i, op, bitness, 0),
            Mnemonic.Stosb or Mnemonic.Stosw or Mnemonic.Stosd or Mnemonic.Stosq => StringOf(in i, op, bitness, 1),
            Mnemonic.Lodsb or Mnemonic.Lodsw or Mnemonic.Lodsd or Mnemonic.Lodsq => StringOf(in i, op, bitness, 2),
            Mnemonic.Cmpsb or Mnemonic.Cmpsw or Mnemonic.Cmpsq => StringOf(in i, op, bitness, 3),
            Mnemonic.Cmpsd when i.Op0Kind != OpKind.Register => StringOf(in i, op, bitness, 3),
            Mnemonic.Scasb or Mnemonic.Scasw or Mnemonic.Scasd or Mnemonic.Scasq => StringOf(in i, op, bitness, 4),
            Mnemonic.Insb or Mnemonic.Insw or Mnemonic.Insd => StringOf(in i, op, bitness, 5),
            Mnemonic.Outsb or Mnemonic.Outsw or Mnemonic.Outsd => StringOf(in i, op, bitness, 6),
            _ => null,
        };
        return op->Handler != null;
    }

    private static delegate*<Processor, Op*, Op*> ByWidth(
        int bytes, delegate*<Processor, Op*, Op*> w8, delegate*<Processor, Op*, Op*> w16, delegate*<Processor, Op*, Op*> w32,
        delegate*<Processor, Op*, Op*> w64)
        => bytes switch { 1 => w8, 2 => w16, 4 => w32, _ => w64 };

    private static delegate*<Processor, Op*, Op*> Two<TAlu>(in Instruction i, Op* op)
        where TAlu : struct, IAlu
        => (IsMemory(in i, 0) ? SizeOfMemory(in i) : i.Op0Register.GetSize()) switch
        {
            1 => TwoOf<TAlu, Width8>(in i, op),
            2 => TwoOf<TAlu, Width16>(in i, op),
            4 => TwoOf<TAlu, Width32>(in i, op),
            _ => TwoOf<TAlu, Width64>(in i, op),
        };

    private static delegate*<Processor, Op*, Op*> TwoOf<TAlu, TWidth>(in Instruction i, Op* op)
        where TAlu : struct, IAlu
        where TWidth : struct, IWidth
    {
        bool toMemory = IsMemory(in i, 0);
        if (!toMemory)
        {
            op->Destination = RegisterFile.OffsetOf(i.Op0Register);
        }

        switch (i.Op1Kind)
        {
            case OpKind.Register:
                op->Source = RegisterFile.OffsetOf(i.Op1Register);
                return toMemory ? &Binary<TAlu, TWidth>.MemoryRegister : &Binary<TAlu, TWidth>.RegisterRegister;
            case OpKind.Memory:
                return &Binary<TAlu, TWidth>.RegisterMemory;
            default:
                op->Immediate = i.GetImmediate(1);
                return toMemory ? &Binary<TAlu, TWidth>.MemoryImmediate : &Binary<TAlu, TWidth>.RegisterImmediate;
        }
    }

    private static delegate*<Processor, Op*, Op*> One<TUnary>(in Instruction i, Op* op)
        where TUnary : struct, IUnary
        => Place(in i, op) switch
        {
            1 => OneOf<TUnary, Width8>(in i),
            2 => OneOf<TUnary, Width16>(in i),
            4 => OneOf<TUnary, Width32>(in i),
            _ => OneOf<TUnary, Width64>(in i),
        };

    private static delegate*<Processor, Op*, Op*> OneOf<TUnary, TWidth>(in Instruction i)
        where TUnary : struct, IUnary
        where TWidth : struct, IWidth
        => IsMemory(in i, 0) ? &Unary<TUnary, TWidth>.OnMemory : &Unary<TUnary, TWidth>.OnRegister;

    private static delegate*<Processor, Op*, Op*> Shift<TImmediate, TCl>(in Instruction i, Op* op)
        where TImmediate : struct, IUnary
        where TCl : struct, IUnary
    {
        if (i.Op1Kind == OpKind.Register)
        {
            return One<TCl>(in i, op);
        }

        op->Immediate = i.GetImmediate(1);
        return One<TImmediate>(in i, op);
    }

    private static delegate*<Processor, Op*, Op*> ShiftDouble<TImmediate, TCl>(in Instruction i, Op* op)
        where TImmediate : struct, IUnary
        where TCl : struct, IUnary
    {
        op->Source = RegisterFile.OffsetOf(i.Op1Register);
        if (i.Op2Kind == OpKind.Register)
        {
            return One<TCl>(in i, op);
        }

        op->Immediate = i.GetImmediate(2);
        return One<TImmediate>(in i, op);
    }

    private static delegate*<Processor, Op*, Op*> MoveOf(in Instruction i, Op* op)
    {
        Register special = i.Op0Kind == OpKind.Register ? i.Op0Register : Register.None;
        Register from = i.Op1Kind == OpKind.Register ? i.Op1Register : Register.None;
        if (!IsGeneral(special) || !IsGeneral(from))
        {
            return null;
        }

        return (IsMemory(in i, 0) ? SizeOfMemory(in i) : special.GetSize()) switch
        {
            1 => MoveOf<Width8>(in i, op),
            2 => MoveOf<Width16>(in i, op),
            4 => MoveOf<Width32>(in i, op),
            _ => MoveOf<Width64>(in i, op),
        };
    }

    private static delegate*<Processor, Op*, Op*> MoveOf<TWidth>(in Instruction i, Op* op)
        where TWidth : struct, IWidth
    {
        bool toMemory = IsMemory(in i, 0);
        if (!toMemory)
        {
            op->Destination = RegisterFile.OffsetOf(i.Op0Register);
        }

        switch (i.Op1Kind)
        {
            case OpKind.Register:
                op->Source = RegisterFile.OffsetOf(i.Op1Register);
                return toMemory ? &Move<TWidth>.MemoryRegister : &Move<TWidth>.RegisterRegister;
            case OpKind.Memory:
                return &Move<TWidth>.RegisterMemory;
            default:
                op->Immediate = i.GetImmediate(1);
                return toMemory ? &Move<TWidth>.MemoryImmediate : &Move<TWidth>.RegisterImmediate;
        }
    }

    private static delegate*<Processor, Op*, Op*> Lea(in Instruction i, Op* op)
    {
        op->Destination = RegisterFile.OffsetOf(i.Op0Register);
        return ByWidth(
            i.Op0Register.GetSize(), null, &Move<Width16>.LoadEffectiveAddress, &Move<Width32>.LoadEffectiveAddress,
            &Move<Width64>.LoadEffectiveAddress);
    }

    private static delegate*<Processor, Op*, Op*> ExtendOf(in Instruction i, Op* op, bool isSigned)
    {
        op->Destination = RegisterFile.OffsetOf(i.Op0Register);
        int from;
        if (i.Op1Kind == OpKind.Register)
        {
            op->Source = RegisterFile.OffsetOf(i.Op1Register);
            from = i.Op1Register.GetSize();
        }
        else
        {
            from = i.MemorySize.GetSize();
        }

        return i.Op0Register.GetSize() switch
        {
            2 => ExtendTo<Width16>(in i, from, isSigned),
            4 => ExtendTo<Width32>(in i, from, isSigned),
            _ => ExtendTo<Width64>(in i, from, isSigned),
        };
    }

    private static delegate*<Processor, Op*, Op*> ExtendTo<TTo>(in Instruction i, int from, bool isSigned)
        where TTo : struct, IWidth
        => from switch
        {
            1 => ExtendFrom<TTo, Width8>(in i, isSigned),
            2 => ExtendFrom<TTo, Width16>(in i, isSigned),
            _ => ExtendFrom<TTo, Width32>(in i, isSigned),
        };

    private static delegate*<Processor, Op*, Op*> ExtendFrom<TTo, TFrom>(in Instruction i, bool isSigned)
        where TTo : struct, IWidth
        where TFrom : struct, IWidth
        => (i.Op1Kind == OpKind.Register, isSigned) switch
        {
            (true, false) => &Extend<TTo, TFrom>.ZeroRegister,
            (false, false) => &Extend<TTo, TFrom>.ZeroMemory,
            (true, true) => &Extend<TTo, TFrom>.SignRegister,
            _ => &Extend<TTo, TFrom>.SignMemory,
        };

    private static delegate*<Processor, Op*, Op*> Exchange(in Instruction i, Op* op)
    {
        bool first = IsMemory(in i, 0);
        bool second = IsMemory(in i, 1);
        if (first || second)
        {
            Register register = first ? i.Op1Register : i.Op0Register;
            op->Source = RegisterFile.OffsetOf(register);
            return ByWidth(
                register.GetSize(), &Move<Width8>.ExchangeMemory, &Move<Width16>.ExchangeMemory, &Move<Width32>.ExchangeMemory,
                &Move<Width64>.ExchangeMemory);
        }

        op->Destination = RegisterFile.OffsetOf(i.Op0Register);
        op->Source = RegisterFile.OffsetOf(i.Op1Register);
        return ByWidth(
            i.Op0Register.GetSize(), &Move<Width8>.ExchangeRegisters, &Move<Width16>.ExchangeRegisters, &Move<Width32>.ExchangeRegisters,
            &Move<Width64>.ExchangeRegisters);
    }

    private static delegate*<Processor, Op*, Op*> ExchangeAdd(in Instruction i, Op* op)
    {
        op->Source = RegisterFile.OffsetOf(i.Op1Register);
        int size = Place(in i, op);
        return IsMemory(in i, 0)
            ? ByWidth(
                size, &Move<Width8>.ExchangeAddMemory, &Move<Width16>.ExchangeAddMemory, &Move<Width32>.ExchangeAddMemory,
                &Move<Width64>.ExchangeAddMemory)
            : ByWidth(
                size, &Move<Width8>.ExchangeAddRegister, &Move<Width16>.ExchangeAddRegister, &Move<Width32>.ExchangeAddRegister,
                &Move<Width64>.ExchangeAddRegister);
    }

    private static delegate*<Processor, Op*, Op*> CompareExchange(in Instruction i, Op* op)
    {
        op->Source = RegisterFile.OffsetOf(i.Op1Register);
        int size = Place(in i, op);
        return IsMemory(in i, 0)
            ? ByWidth(
                size, &Move<Width8>.CompareExchangeMemory, &Move<Width16>.CompareExchangeMemory, &Move<Width32>.CompareExchangeMemory,
                &Move<Width64>.CompareExchangeMemory)
            : ByWidth(
                size, &Move<Width8>.CompareExchangeRegister, &Move<Width16>.CompareExchangeRegister,
                &Move<Width32>.CompareExchangeRegister, &Move<Width64>.CompareExchangeRegister);
    }

    private static delegate*<Processor, Op*, Op*> Pair(Op* op, int bytes)
    {
        op->Size = (byte)bytes;
        return &ProcessorControl.CompareExchangePair;
    }

    private static delegate*<Processor, Op*, Op*> ConditionalMove(in Instruction i, Op* op)
    {
        op->Detail = (ushort)((int)i.ConditionCode == 0 ? 0 : Conditions.NumberOf(i.ConditionCode));
        op->Destination = RegisterFile.OffsetOf(i.Op0Register);
        int size = i.Op0Register.GetSize();
        if (i.Op1Kind == OpKind.Register)
        {
            op->Source = RegisterFile.OffsetOf(i.Op1Register);
            return ByWidth(size, null, &Move<Width16>.ConditionalRegister, &Move<Width32>.ConditionalRegister, &Move<Width64>.ConditionalRegister);
        }

        return ByWidth(size, null, &Move<Width16>.ConditionalMemory, &Move<Width32>.ConditionalMemory, &Move<Width64>.ConditionalMemory);
    }

    private static delegate*<Processor, Op*, Op*> SetOf(in Instruction i, Op* op)
    {
        op->Detail = (ushort)Conditions.NumberOf(i.ConditionCode);
        Place(in i, op);
        return IsMemory(in i, 0) ? &SetByte.OnMemory : &SetByte.OnRegister;
    }

    private static delegate*<Processor, Op*, Op*> Wide(in Instruction i, Op* op, int kind)
    {
        int last = kind == 3 ? 1 : i.OpCount - 1;
        if (i.GetOpKind(last) == OpKind.Register)
        {
            op->Source = RegisterFile.OffsetOf(i.GetOpRegister(last));
            op->Traits &= ~OpTraits.Memory;
        }

        if (kind is 2 or 3)
        {
            op->Destination = RegisterFile.OffsetOf(i.Op0Register);
            op->Immediate = kind == 3 ? i.GetImmediate(2) : 0;
        }

        int size = kind is 2 or 3 ? i.Op0Register.GetSize() : Selection.SizeOf(in i, 0);
        return size switch { 1 => Wide<Width8>(kind), 2 => Wide<Width16>(kind), 4 => Wide<Width32>(kind), _ => Wide<Width64>(kind) };
    }

    private static delegate*<Processor, Op*, Op*> Wide<TWidth>(int kind)
        where TWidth : struct, IWidth
        => kind switch
        {
            0 => &Multiplication<TWidth>.Multiply,
            1 => &Multiplication<TWidth>.MultiplySigned,
            2 => &Multiplication<TWidth>.MultiplyTwo,
            3 => &Multiplication<TWidth>.MultiplyThree,
            4 => &Multiplication<TWidth>.Divide,
            _ => &Multiplication<TWidth>.DivideSigned,
        };

    private static delegate*<Processor, Op*, Op*> BitOf<TChange>(in Instruction i, Op* op)
        where TChange : struct, IBitChange
        => Place(in i, op) switch { 2 => BitOf<TChange, Width16>(in i, op), 4 => BitOf<TChange, Width32>(in i, op), _ => BitOf<TChange, Width64>(in i, op) };

    private static delegate*<Processor, Op*, Op*> BitOf<TChange, TWidth>(in Instruction i, Op* op)
        where TChange : struct, IBitChange
        where TWidth : struct, IWidth
    {
        bool isMemory = IsMemory(in i, 0);
        if (i.Op1Kind == OpKind.Register)
        {
            op->Source = RegisterFile.OffsetOf(i.Op1Register);
            return isMemory ? &BitTest<TChange, TWidth>.MemoryRegister : &BitTest<TChange, TWidth>.RegisterRegister;
        }

        op->Immediate = i.GetImmediate(1);
        return isMemory ? &BitTest<TChange, TWidth>.MemoryImmediate : &BitTest<TChange, TWidth>.RegisterImmediate;
    }

    private static delegate*<Processor, Op*, Op*> Scan(in Instruction i, Op* op, int kind)
    {
        op->Destination = RegisterFile.OffsetOf(i.Op0Register);
        if (i.Op1Kind == OpKind.Register)
        {
            op->Source = RegisterFile.OffsetOf(i.Op1Register);
        }

        return i.Op0Register.GetSize() switch { 2 => Scan<Width16>(kind), 4 => Scan<Width32>(kind), _ => Scan<Width64>(kind) };
    }

    private static delegate*<Processor, Op*, Op*> Scan<TWidth>(int kind)
        where TWidth : struct, IWidth
        => kind switch { 0 => &BitScan<TWidth>.Forward, 1 => &BitScan<TWidth>.Reverse, _ => &BitScan<TWidth>.PopulationCount };

    private static delegate*<Processor, Op*, Op*> TranslateOf(in Instruction i, Op* op, int bitness)
    {
        op->Segment = Operands.BaseOf(i.MemorySegment, bitness);
        op->AddressMask = Operands.MaskOf(i.MemoryBase switch { Register.BX => 2, Register.EBX => 4, _ => 8 });
        return &Accumulator.Translate;
    }

    private static delegate*<Processor, Op*, Op*> WithImmediate(in Instruction i, Op* op, delegate*<Processor, Op*, Op*> handler)
    {
        op->Immediate = i.GetImmediate(0);
        return handler;
    }

    private static delegate*<Processor, Op*, Op*> BoundOf(in Instruction i, Op* op)
    {
        op->Destination = RegisterFile.OffsetOf(i.Op0Register);
        return i.Op0Register.GetSize() == 2 ? &Accumulator.Bound<Width16> : &Accumulator.Bound<Width32>;
    }

    private static delegate*<Processor, Op*, Op*> StringOf(in Instruction i, Op* op, int bitness, int kind)
    {
        OpKind memory = i.Op0Kind is OpKind.Register ? i.Op1Kind : i.Op0Kind;
        bool repeats = i.HasRepPrefix || i.HasRepePrefix;
        op->Traits |= repeats ? OpTraits.Repeat : i.HasRepnePrefix ? OpTraits.RepeatNotEqual : OpTraits.None;
        if (i.HasRepnePrefix && kind is 0 or 1 or 2)
        {
            op->Traits |= i.HasRepnePrefix ? OpTraits.Repeat : OpTraits.None;
        }

        op->AddressMask = Operands.MaskOf(Operands.AddressBytesOf(memory));
        op->Segment = kind is 0 or 2 or 3 or 6 ? Operands.BaseOf(i.MemorySegment, bitness) : (byte)RegisterFile.Zero;
        int bytes = i.MemorySize.GetSize();
        return bytes switch { 1 => StringOf<Width8>(kind), 2 => StringOf<Width16>(kind), 4 => StringOf<Width32>(kind), _ => StringOf<Width64>(kind) };
    }

    private static delegate*<Processor, Op*, Op*> StringOf<TWidth>(int kind)
        where TWidth : struct, IWidth
        => kind switch
        {
            0 => &Strings<TWidth>.Move,
            1 => &Strings<TWidth>.Fill,
            2 => &Strings<TWidth>.LoadString,
            3 => &Strings<TWidth>.CompareStrings,
            4 => &Strings<TWidth>.ScanString,
            5 => &Strings<TWidth>.Input,
            _ => &Strings<TWidth>.Output,
        };

    /// <summary>Binds the first operand where it is a register; returns its bytes.</summary>
    private static int Place(in Instruction i, Op* op)
    {
        if (i.Op0Kind == OpKind.Register)
        {
            op->Destination = RegisterFile.OffsetOf(i.Op0Register);
            return i.Op0Register.GetSize();
        }

        return SizeOfMemory(in i);
    }

    private static bool IsMemory(in Instruction i, int operand) => i.GetOpKind(operand) == OpKind.Memory;

    private static int SizeOfMemory(in Instruction i) => i.MemorySize.GetSize();

    private static bool IsGeneral(Register register) => register == Register.None || register.IsGPR();
}
