using System.Runtime.CompilerServices;
using MemVirt.Cpu.Decoding;

namespace MemVirt.Cpu.Execution;

/// <summary>A condition without its inversion, as a type parameter.</summary>
internal interface ICondition
{
    static abstract bool Holds(ref LazyFlags flags);
}

internal readonly struct IfOverflow : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(ref LazyFlags flags) => flags.O;
}

internal readonly struct IfBelow : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(ref LazyFlags flags) => flags.C;
}

internal readonly struct IfEqual : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(ref LazyFlags flags) => flags.Z;
}

internal readonly struct IfBelowOrEqual : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(ref LazyFlags flags) => flags.C || flags.Z;
}

internal readonly struct IfSign : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(ref LazyFlags flags) => flags.S;
}

internal readonly struct IfParity : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(ref LazyFlags flags) => flags.P;
}

internal readonly struct IfLess : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(ref LazyFlags flags) => flags.S != flags.O;
}

internal readonly struct IfLessOrEqual : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(ref LazyFlags flags) => flags.Z || flags.S != flags.O;
}

/// <summary>Jcc, SETcc.</summary>
internal static unsafe class Conditional<TCondition>
    where TCondition : struct, ICondition
{
    public static Op* Jump(Processor processor, Op* op)
        => TCondition.Holds(ref processor.Flags) ? processor.Branch(op) : op + 1;

    public static Op* JumpNot(Processor processor, Op* op)
        => TCondition.Holds(ref processor.Flags) ? op + 1 : processor.Branch(op);
}

/// <summary>SETcc.</summary>
internal static unsafe class SetByte
{
    public static Op* OnRegister(Processor processor, Op* op)
    {
        processor.R[op->Destination] = processor.Flags.Holds(op->Detail) ? (byte)1 : (byte)0;
        return op + 1;
    }

    public static Op* OnMemory(Processor processor, Op* op)
        => processor.Store<Width8>(op, processor.Address(op), processor.Flags.Holds(op->Detail) ? 1UL : 0) ? op + 1 : null;
}
