using MemVirt.Core;
using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.Execution;

/// <summary>CPUID, RDTSC, RDMSR, WRMSR, HLT, PKRU and what does nothing.</summary>
internal static unsafe class ProcessorControl
{
    public static Op* Nothing(Processor processor, Op* op) => op + 1;

    public static Op* Halt(Processor processor, Op* op)
    {
        if (processor.CurrentPrivilegeLevel != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        processor.Observe(ExecutionEvent.Halt);
        processor.LeaveAfter(op);
        processor.Halt();
        return null;
    }

    /// <summary>WBINVD, INVD: nothing is cached here.</summary>
    public static Op* WriteBack(Processor processor, Op* op)
        => processor.CurrentPrivilegeLevel != 0 ? processor.Raise(op, Vector.GeneralProtection) : op + 1;

    public static Op* Identify(Processor processor, Op* op)
    {
        processor.Statistics.Cpuids++;
        processor.Observe(ExecutionEvent.Cpuid);
        CpuidLeaf leaf = processor.Profile.Leaf(
            (uint)processor.Register(RegisterFile.Rax), (uint)processor.Register(RegisterFile.Rcx), processor.Bus.HasLocalApic);
        processor.Register(RegisterFile.Rax) = leaf.Eax;
        processor.Register(RegisterFile.Rbx) = leaf.Ebx;
        processor.Register(RegisterFile.Rcx) = leaf.Ecx;
        processor.Register(RegisterFile.Rdx) = leaf.Edx;
        return op + 1;
    }

    public static Op* ReadTimeStamp(Processor processor, Op* op)
    {
        const ulong TimeStampDisable = 1 << 2;
        if (op->Detail == 1 && !processor.Profile.TimeStampAuxiliary)
        {
            return processor.Raise(op, Vector.InvalidOpcode);
        }

        if (processor.CurrentPrivilegeLevel != 0 && (processor.Control.Cr4 & TimeStampDisable) != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        processor.CatchUp(op);
        PutPair(processor, processor.Bus.TimeStamp);
        if (op->Detail == 1)
        {
            processor.Register(RegisterFile.Rcx) = (uint)processor.Msrs.TscAux;
        }

        return op + 1;
    }

    /// <summary>RDPMC: there is no counter, so each number is one too many (Intel SDM Vol. 2 "RDPMC").</summary>
    public static Op* ReadPerformanceCounter(Processor processor, Op* op) => processor.Raise(op, Vector.GeneralProtection);

    public static Op* ReadModelSpecific(Processor processor, Op* op)
    {
        processor.Statistics.MsrReads++;
        ModelSpecific.Observe(processor, (uint)processor.Register(RegisterFile.Rcx));
        if (processor.CurrentPrivilegeLevel != 0
            || !ModelSpecific.TryRead(processor, op, (uint)processor.Register(RegisterFile.Rcx), out ulong value))
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        PutPair(processor, value);
        return op + 1;
    }

    public static Op* WriteModelSpecific(Processor processor, Op* op)
    {
        processor.Statistics.MsrWrites++;
        ModelSpecific.Observe(processor, (uint)processor.Register(RegisterFile.Rcx));
        ulong value = (uint)processor.Register(RegisterFile.Rax) | (processor.Register(RegisterFile.Rdx) << 32);
        if (processor.CurrentPrivilegeLevel != 0
            || !ModelSpecific.TryWrite(processor, op, (uint)processor.Register(RegisterFile.Rcx), value))
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        processor.LeaveAfter(op);
        processor.ModeChanged();
        processor.ObserveRegisters();
        processor.InterruptsMayBeEnabled();
        return null;
    }

    public static Op* ReadKeyRights(Processor processor, Op* op)
    {
        if ((processor.Control.Cr4 & Core.Registers.Cr4.ProtectionKeysUser) == 0)
        {
            return processor.Raise(op, Vector.InvalidOpcode);
        }

        if ((uint)processor.Register(RegisterFile.Rcx) != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        PutPair(processor, processor.Control.Pkru);
        return op + 1;
    }

    public static Op* WriteKeyRights(Processor processor, Op* op)
    {
        if ((processor.Control.Cr4 & Core.Registers.Cr4.ProtectionKeysUser) == 0)
        {
            return processor.Raise(op, Vector.InvalidOpcode);
        }

        bool isBad = (uint)processor.Register(RegisterFile.Rcx) != 0 || (uint)processor.Register(RegisterFile.Rdx) != 0;
        if (isBad || processor.Unit.WritePkru((uint)processor.Register(RegisterFile.Rax)) != RegisterWriteOutcome.Done)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        return op + 1;
    }

    /// <summary>CMPXCHG8B and CMPXCHG16B (<see cref="Op.Size"/> 16).</summary>
    public static Op* CompareExchangePair(Processor processor, Op* op)
    {
        ulong address = processor.Address(op);
        bool isWide = op->Size == 16;
        if (isWide && (address & 15) != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        byte* place = processor.BeginModify(op, address, op->Size);
        if (place == null)
        {
            return null;
        }

        ref ulong rax = ref processor.Register(RegisterFile.Rax);
        ref ulong rdx = ref processor.Register(RegisterFile.Rdx);
        ulong rbx = processor.Register(RegisterFile.Rbx);
        ulong rcx = processor.Register(RegisterFile.Rcx);
        bool isEqual;
        if (isWide)
        {
            var low = (ulong*)place;
            ulong* high = low + 1;
            isEqual = *low == rax && *high == rdx;
            if (isEqual)
            {
                (*low, *high) = (rbx, rcx);
            }
            else
            {
                (rax, rdx) = (*low, *high);
            }
        }
        else
        {
            ulong value = *(ulong*)place;
            isEqual = value == ((uint)rax | (rdx << 32));
            if (isEqual)
            {
                *(ulong*)place = (uint)rbx | (rcx << 32);
            }
            else
            {
                (rax, rdx) = ((uint)value, value >> 32);
            }
        }

        processor.EndModify(op, place, op->Size);
        processor.Flags.SetZero(isEqual);
        return op + 1;
    }

    private static void PutPair(Processor processor, ulong value)
    {
        processor.Register(RegisterFile.Rax) = (uint)value;
        processor.Register(RegisterFile.Rdx) = value >> 32;
    }
}
