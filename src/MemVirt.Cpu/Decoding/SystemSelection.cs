using Iced.Intel;
using MemVirt.Cpu.Execution;

namespace MemVirt.Cpu.Decoding;

/// <summary>System instructions, I/O, and those that do nothing.</summary>
internal static unsafe class SystemSelection
{
    public static bool TrySelect(in Instruction i, Op* op, int bitness)
    {
        op->Handler = i.Mnemonic switch
        {
            Mnemonic.Mov => MoveOf(in i, op),
            Mnemonic.Nop or Mnemonic.Pause or Mnemonic.Lfence or Mnemonic.Mfence or Mnemonic.Sfence or Mnemonic.Clflush
                or Mnemonic.Prefetchnta or Mnemonic.Prefetcht0 or Mnemonic.Prefetcht1 or Mnemonic.Prefetcht2 or Mnemonic.Prefetchw
                or Mnemonic.Prefetch or Mnemonic.Prefetchwt1 or Mnemonic.Prefetchit0 or Mnemonic.Prefetchit1 or Mnemonic.Cldemote or Mnemonic.Reservednop or Mnemonic.Endbr64 or Mnemonic.Endbr32 => &ProcessorControl.Nothing,
            Mnemonic.Ud2 or Mnemonic.Ud1 or Mnemonic.Ud0 => &Undefined.Execute,
            Mnemonic.Hlt => &ProcessorControl.Halt,
            Mnemonic.Cpuid => &ProcessorControl.Identify,
            Mnemonic.Rdtsc => &ProcessorControl.ReadTimeStamp,
            Mnemonic.Rdtscp => Detail(op, 1, &ProcessorControl.ReadTimeStamp),
            Mnemonic.Rdpmc => &ProcessorControl.ReadPerformanceCounter,
            Mnemonic.Rdmsr => &ProcessorControl.ReadModelSpecific,
            Mnemonic.Wrmsr => &ProcessorControl.WriteModelSpecific,
            Mnemonic.Rdpkru => &ProcessorControl.ReadKeyRights,
            Mnemonic.Wrpkru => &ProcessorControl.WriteKeyRights,
            Mnemonic.Wbinvd or Mnemonic.Invd => &ProcessorControl.WriteBack,
            Mnemonic.Invlpg => &Invalidations.InvalidatePage,
            Mnemonic.Invpcid => ToRegister(op, i.Op0Register, &Invalidations.InvalidateContext),
            Mnemonic.Clts => &ControlRegisterMoves.ClearTaskSwitched,
            Mnemonic.Lgdt => Table(in i, op, 0, &TableRegisters.LoadTable),
            Mnemonic.Lidt => Table(in i, op, 1, &TableRegisters.LoadTable),
            Mnemonic.Sgdt => Table(in i, op, 0, &TableRegisters.StoreTable),
            Mnemonic.Sidt => Table(in i, op, 1, &TableRegisters.StoreTable),
            Mnemonic.Lldt => Word(in i, op, &TableRegisters.LoadLocalTable),
            Mnemonic.Ltr => Word(in i, op, &TableRegisters.LoadTask),
            Mnemonic.Lmsw => Word(in i, op, &ControlRegisterMoves.LoadMachineStatus),
            Mnemonic.Sldt => Place(in i, op, &TableRegisters.StoreLocalTable),
            Mnemonic.Str => Place(in i, op, &TableRegisters.StoreTask),
            Mnemonic.Smsw => Place(in i, op, &ControlRegisterMoves.StoreMachineStatus),
            Mnemonic.Verr => Detail(op, 0, Word(in i, op, &SelectorChecks.Verify)),
            Mnemonic.Verw => Detail(op, 1, Word(in i, op, &SelectorChecks.Verify)),
            Mnemonic.Lar => Visible(in i, op, 2),
            Mnemonic.Lsl => Visible(in i, op, 3),
            Mnemonic.Arpl => Adjust(in i, op),
            Mnemonic.Lds => Far(in i, op, SegmentName.Ds),
            Mnemonic.Les => Far(in i, op, SegmentName.Es),
            Mnemonic.Lfs => Far(in i, op, SegmentName.Fs),
            Mnemonic.Lgs => Far(in i, op, SegmentName.Gs),
            Mnemonic.Lss => Far(in i, op, SegmentName.Ss),
            Mnemonic.Rdfsbase => Base(in i, op, SegmentName.Fs, &SegmentMoves.ReadSegmentBase),
            Mnemonic.Rdgsbase => Base(in i, op, SegmentName.Gs, &SegmentMoves.ReadSegmentBase),
            Mnemonic.Wrfsbase => Base(in i, op, SegmentName.Fs, &SegmentMoves.WriteSegmentBase),
            Mnemonic.Wrgsbase => Base(in i, op, SegmentName.Gs, &SegmentMoves.WriteSegmentBase),
            Mnemonic.Cli => &FlagWrites.ClearInterrupt,
            Mnemonic.Sti => &FlagWrites.SetInterrupt,
            Mnemonic.Clac => &FlagWrites.ClearAlignmentCheck,
            Mnemonic.Stac => &FlagWrites.SetAlignmentCheck,
            Mnemonic.Int => Interrupt(op, (int)i.GetImmediate(0)),
            Mnemonic.Int3 => Interrupt(op, 3),
            Mnemonic.Into => &SystemCalls.InterruptOnOverflow,
            Mnemonic.Int1 => &SystemCalls.DebugTrap,
            Mnemonic.Syscall => &SystemCalls.SystemCall,
            Mnemonic.Sysret => Sized(op, 4, &SystemCalls.SystemReturn),
            Mnemonic.Sysretq => Sized(op, 8, &SystemCalls.SystemReturn),
            Mnemonic.Sysenter => &SystemCalls.SystemEnter,
            Mnemonic.Sysexit => Sized(op, 4, &SystemCalls.SystemExit),
            Mnemonic.Sysexitq => Sized(op, 8, &SystemCalls.SystemExit),
            Mnemonic.Swapgs => &SystemCalls.SwapGs,
            Mnemonic.In => InOf(in i, op),
            Mnemonic.Out => OutOf(in i, op),
            _ => null,
        };
        return op->Handler != null;
    }

    private static delegate*<Processor, Op*, Op*> MoveOf(in Instruction i, Op* op)
    {
        if (i.Op0Kind == OpKind.Register)
        {
            Register to = i.Op0Register;
            if (to.IsCR())
            {
                op->Source = RegisterFile.OffsetOf(i.Op1Register);
                return Control(op, to, &ControlRegisterMoves.MoveToControl);
            }

            if (to.IsDR())
            {
                op->Source = RegisterFile.OffsetOf(i.Op1Register);
                return Detail(op, to - Register.DR0, &DebugRegisterMoves.MoveToDebug);
            }

            if (to.IsSegmentRegister())
            {
                if (to == Register.CS)
                {
                    return &Undefined.Execute;
                }

                op->Detail = (ushort)(to - Register.ES);
                if (i.Op1Kind == OpKind.Register)
                {
                    op->Source = RegisterFile.OffsetOf(i.Op1Register);
                }

                return &SegmentMoves.MoveToSegment;
            }
        }

        if (i.Op1Kind != OpKind.Register)
        {
            return null;
        }

        Register from = i.Op1Register;
        if (from.IsCR())
        {
            op->Destination = RegisterFile.OffsetOf(i.Op0Register);
            return Control(op, from, &ControlRegisterMoves.MoveFromControl);
        }

        if (from.IsDR())
        {
            op->Destination = RegisterFile.OffsetOf(i.Op0Register);
            return Detail(op, from - Register.DR0, &DebugRegisterMoves.MoveFromDebug);
        }

        if (from.IsSegmentRegister())
        {
            op->Detail = (ushort)(from - Register.ES);
            return Place(in i, op, &SegmentMoves.MoveFromSegment);
        }

        return null;
    }

    private static delegate*<Processor, Op*, Op*> Control(Op* op, Register register, delegate*<Processor, Op*, Op*> handler)
    {
        int number = register - Register.CR0;
        return number is 0 or 2 or 3 or 4 or 8 ? Detail(op, number, handler) : &Undefined.Execute;
    }

    private static delegate*<Processor, Op*, Op*> Detail(Op* op, int detail, delegate*<Processor, Op*, Op*> handler)
    {
        op->Detail = (ushort)detail;
        return handler;
    }

    private static delegate*<Processor, Op*, Op*> Sized(Op* op, int bytes, delegate*<Processor, Op*, Op*> handler)
    {
        op->Size = (byte)bytes;
        return handler;
    }

    private static delegate*<Processor, Op*, Op*> ToRegister(Op* op, Register register, delegate*<Processor, Op*, Op*> handler)
    {
        op->Destination = RegisterFile.OffsetOf(register);
        return handler;
    }

    private static delegate*<Processor, Op*, Op*> Table(in Instruction i, Op* op, int detail, delegate*<Processor, Op*, Op*> handler)
    {
        // With an operand size of 16 bits the base has 24 (Intel SDM Vol. 2 "LGDT/LIDT").
        op->Size = i.Code is Code.Lgdt_m1632_16 or Code.Lidt_m1632_16 ? (byte)2 : (byte)0;
        return Detail(op, detail, handler);
    }

    private static delegate*<Processor, Op*, Op*> Word(in Instruction i, Op* op, delegate*<Processor, Op*, Op*> handler)
    {
        if (i.Op0Kind == OpKind.Register)
        {
            op->Source = RegisterFile.OffsetOf(i.Op0Register);
        }

        return handler;
    }

    private static delegate*<Processor, Op*, Op*> Place(in Instruction i, Op* op, delegate*<Processor, Op*, Op*> handler)
    {
        if (i.Op0Kind == OpKind.Register)
        {
            op->Destination = RegisterFile.OffsetOf(i.Op0Register);
            op->Size = (byte)i.Op0Register.GetSize();
        }

        return handler;
    }

    private static delegate*<Processor, Op*, Op*> Visible(in Instruction i, Op* op, int detail)
    {
        op->Destination = RegisterFile.OffsetOf(i.Op0Register);
        op->Size = (byte)i.Op0Register.GetSize();
        if (i.Op1Kind == OpKind.Register)
        {
            op->Source = RegisterFile.OffsetOf(i.Op1Register);
        }

        return Detail(op, detail, &SelectorChecks.Verify);
    }

    private static delegate*<Processor, Op*, Op*> Adjust(in Instruction i, Op* op)
    {
        op->Source = RegisterFile.OffsetOf(i.Op1Register);
        return Place(in i, op, &SelectorChecks.AdjustRequestedPrivilege);
    }

    private static delegate*<Processor, Op*, Op*> Far(in Instruction i, Op* op, SegmentName segment)
    {
        op->Destination = RegisterFile.OffsetOf(i.Op0Register);
        op->Detail = (ushort)segment;
        return i.Op0Register.GetSize() switch
        {
            2 => &SegmentMoves.LoadFarPointer<Width16>,
            4 => &SegmentMoves.LoadFarPointer<Width32>,
            _ => &SegmentMoves.LoadFarPointer<Width64>,
        };
    }

    private static delegate*<Processor, Op*, Op*> Base(in Instruction i, Op* op, SegmentName segment, delegate*<Processor, Op*, Op*> handler)
    {
        op->Destination = op->Source = RegisterFile.OffsetOf(i.Op0Register);
        op->Size = (byte)i.Op0Register.GetSize();
        op->Detail = (ushort)segment;
        return handler;
    }

    private static delegate*<Processor, Op*, Op*> Interrupt(Op* op, int vector)
    {
        op->Immediate = (ulong)vector;
        return &SystemCalls.Interrupt;
    }

    private static delegate*<Processor, Op*, Op*> InOf(in Instruction i, Op* op)
    {
        op->Size = (byte)i.Op0Register.GetSize();
        BindPort(in i, op, 1);
        return &Ports.In;
    }

    private static delegate*<Processor, Op*, Op*> OutOf(in Instruction i, Op* op)
    {
        op->Size = (byte)i.Op1Register.GetSize();
        BindPort(in i, op, 0);
        return &Ports.Out;
    }

    private static void BindPort(in Instruction i, Op* op, int operand)
    {
        if (i.GetOpKind(operand) == OpKind.Register)
        {
            op->Detail = 1;
        }
        else
        {
            op->Immediate = (byte)i.GetImmediate(operand);
        }
    }
}
