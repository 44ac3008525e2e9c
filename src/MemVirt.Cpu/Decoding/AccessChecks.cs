using System.Runtime.InteropServices;
using Iced.Intel;
using MemVirt.Cpu.Execution;

namespace MemVirt.Cpu.Decoding;

/// <summary>
/// The operations that go before an instruction where not every access is allowed: a segment that is not flat, alignment that is
/// checked, breakpoints. Where none of these is in force, blocks are built without.
/// </summary>
internal sealed unsafe class AccessChecks : IDisposable
{
    private const int Room = 40;
    private const int AlIndex = 1 << 10;
    private readonly InstructionInfoFactory _information = new();
    private readonly Op* _operations = (Op*)NativeMemory.AlignedAlloc(Room * (nuint)sizeof(Op), 64);
    private int _count;

    /// <summary>Those of the block that is being built.</summary>
    public ReadOnlySpan<Op> Operations => new(_operations, _count);

    public void Clear() => _count = 0;

    public void Dispose() => NativeMemory.AlignedFree(_operations);

    /// <summary>Adds the checks of an instruction, where it is the block's first; returns whether it has any.</summary>
    /// <param name="instruction">The instruction; one that is invalid accesses nothing.</param>
    /// <param name="op">Its operation.</param>
    /// <param name="key">The block's key.</param>
    /// <param name="isFirst">Whether it is the block's first.</param>
    public bool Add(in Instruction instruction, Op* op, ulong key, bool isFirst)
    {
        bool isLong = (key & CodeCache.LongMode) != 0;
        ulong segments = isLong ? 0 : key >> CodeCache.CheckedSegmentsShift & 0x3F;
        bool isCodeChecked = (segments >> (int)SegmentName.Cs & 1) != 0;
        bool hasBreakpoints = (key & CodeCache.Breakpoints) != 0;
        bool isAny = false;
        if (hasBreakpoints)
        {
            Put(op, isFirst, &AccessCheck.Breakpoint);
            isAny = true;
        }

        if (isCodeChecked)
        {
            Put(op, isFirst, &AccessCheck.Fetch);
            isAny = true;
        }

        if (instruction.IsInvalid)
        {
            return isAny;
        }

        AccessKinds always = (hasBreakpoints ? AccessKinds.Breakpoints : 0) | ((key & CodeCache.AlignmentChecked) != 0 ? AccessKinds.Alignment : 0);
        foreach (UsedMemory memory in _information.GetInfo(in instruction, InstructionInfoOptions.NoRegisterUsage).GetUsedMemory())
        {
            AccessKinds kinds = always | KindOf(memory.Access);
            int segment = memory.Segment is >= Register.ES and <= Register.GS ? memory.Segment - Register.ES : (int)SegmentName.Ds;
            bool isLimited = !isLong && ((segments >> segment & 1) != 0 || segment == (int)SegmentName.Cs);
            kinds |= isLimited ? AccessKinds.Limit : 0;
            bool isTouched = (kinds & (AccessKinds.Read | AccessKinds.Write)) != 0;
            bool isChecked = (kinds & (AccessKinds.Limit | AccessKinds.Alignment | AccessKinds.Breakpoints)) != 0;
            if (!isTouched || !isChecked || IsFarStack(in instruction, memory))
            {
                continue;
            }

            isAny = true;
            Op* check = Put(op, isFirst, &AccessCheck.Access);
            check->Detail = (ushort)segment;
            check->Extra = (ulong)kinds;
            check->Immediate = (ulong)Math.Max(memory.MemorySize.GetSize(), 1);
            check->Traits = op->Traits;
            bool isOperand = (op->Traits & OpTraits.Memory) != 0
                && memory.Base == (instruction.IsIPRelativeMemoryOperand ? memory.Base : instruction.MemoryBase) && memory.Index == instruction.MemoryIndex
                && (instruction.IsIPRelativeMemoryOperand || memory.Displacement == instruction.MemoryDisplacement64);
            if (isOperand)
            {
                (check->Base, check->Index, check->Scale, check->Displacement) = (op->Base, op->Index, op->Scale, op->Displacement);
                (check->AddressMask, check->Segment) = (op->AddressMask, op->Segment);
            }
            else
            {
                Bind(check, in memory, isLong);
            }
        }

        return isAny;
    }

    private static void Bind(Op* check, in UsedMemory memory, bool isLong)
    {
        bool isTable = memory.Index == Register.AL;
        check->Base = memory.Base == Register.None ? (byte)RegisterFile.Zero : RegisterFile.OffsetOf(memory.Base);
        check->Index = memory.Index == Register.None || isTable ? (byte)RegisterFile.Zero : RegisterFile.OffsetOf(memory.Index);
        check->Scale = (byte)System.Numerics.BitOperations.Log2((uint)Math.Max(memory.Scale, 1));
        check->Displacement = memory.Displacement;
        check->AddressMask = memory.AddressSize switch { CodeSize.Code16 => ushort.MaxValue, CodeSize.Code32 => uint.MaxValue, _ => ulong.MaxValue };
        check->Segment = Operands.BaseOf(memory.Segment, isLong ? 64 : 32);
        check->Detail |= isTable ? (ushort)AlIndex : (ushort)0;
    }

    private static AccessKinds KindOf(OpAccess access) => access switch
    {
        OpAccess.Read or OpAccess.CondRead => AccessKinds.Read,
        OpAccess.Write or OpAccess.CondWrite => AccessKinds.Write,
        OpAccess.ReadWrite or OpAccess.ReadCondWrite => AccessKinds.Read | AccessKinds.Write,
        _ => AccessKinds.None,
    };

    /// <summary>A far transfer may push to another stack than the one in force: it looks itself.</summary>
    private static bool IsFarStack(in Instruction instruction, in UsedMemory memory)
        => memory.Segment == Register.SS && memory.Base is Register.SP or Register.ESP or Register.RSP
            && (instruction.FlowControl == FlowControl.Interrupt || instruction.IsCallFar || instruction.IsCallFarIndirect
                || instruction.Mnemonic is Mnemonic.Retf or Mnemonic.Iret or Mnemonic.Iretd or Mnemonic.Iretq);

    private Op* Put(Op* op, bool isFirst, delegate*<Processor, Op*, Op*> handler)
    {
        // Of a later instruction nothing is kept: the block ends before it.
        Op* check = _operations + (isFirst && _count < Room ? _count++ : Room - 1);
        *check = default;
        check->Handler = handler;
        check->Offset = op->Offset;
        check->Next = op->Next;
        return check;
    }
}
