using System.Runtime.CompilerServices;
using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.Execution;

/// <summary>JMP, CALL, RET, LOOP and JrCXZ, all near.</summary>
internal static unsafe class NearTransfers
{
    public static Op* Jump(Processor processor, Op* op) => processor.Branch(op);

    public static Op* JumpRegister(Processor processor, Op* op) => Go(processor, op, Truncate(processor, op, processor.Register(op->Source)));

    public static Op* JumpMemory<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
        => processor.Load<TWidth>(op, processor.Address(op), out ulong target) ? Go(processor, op, target) : null;

    public static Op* Call<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
        => Stack.Push<TWidth>(processor, op, processor.RipOf(op->Next)) ? processor.Branch(op) : null;

    public static Op* CallRegister<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
    {
        ulong target = TWidth.Truncate(processor.Register(op->Source));
        return IsTarget(processor, op, target) && Stack.Push<TWidth>(processor, op, processor.RipOf(op->Next)) ? Leave(processor, op, target) : null;
    }

    public static Op* CallMemory<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
        => processor.Load<TWidth>(op, processor.Address(op), out ulong target) && IsTarget(processor, op, target)
           && Stack.Push<TWidth>(processor, op, processor.RipOf(op->Next))
            ? Leave(processor, op, target) : null;

    public static Op* Return<TWidth>(Processor processor, Op* op)
        where TWidth : struct, IWidth
    {
        if (!Stack.Peek<TWidth>(processor, op, 0, out ulong target) || !IsTarget(processor, op, target))
        {
            return null;
        }

        Stack.Drop(processor, (ulong)(TWidth.Bits / 8) + op->Immediate);
        return Leave(processor, op, target);
    }

    /// <summary>LOOP, LOOPE, LOOPNE: <see cref="Op.Detail"/> 0, 1, 2; the counter is of the address size.</summary>
    public static Op* Loop(Processor processor, Op* op)
    {
        ref ulong counter = ref processor.Register(RegisterFile.Rcx);
        ulong count = (counter - 1) & op->AddressMask;
        counter = op->AddressMask == ushort.MaxValue ? (counter & ~(ulong)ushort.MaxValue) | count : count;
        bool taken = count != 0 && (op->Detail == 0 || processor.Flags.Z == (op->Detail == 1));
        return taken ? processor.Branch(op) : op + 1;
    }

    public static Op* JumpIfCounterIsZero(Processor processor, Op* op)
        => (processor.Register(RegisterFile.Rcx) & op->AddressMask) == 0 ? processor.Branch(op) : op + 1;

    private static ulong Truncate(Processor processor, Op* op, ulong target)
        => op->Size == 2 ? (ushort)target : op->Size == 4 ? (uint)target : target;

    private static Op* Go(Processor processor, Op* op, ulong target)
        => IsTarget(processor, op, target) ? Leave(processor, op, target) : null;

    /// <summary>A target that is not canonical is the branch's fault (Intel SDM Vol. 2 "JMP", #GP(0)).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsTarget(Processor processor, Op* op, ulong target)
    {
        if (processor.Unit.Linear.TryCanonicalize(target, dataAccess: false, out _))
        {
            return true;
        }

        processor.Raise(op, Vector.GeneralProtection);
        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Op* Leave(Processor processor, Op* op, ulong target)
    {
        processor.Rip = target;
        processor.Remaining += op->After;
        return null;
    }
}
