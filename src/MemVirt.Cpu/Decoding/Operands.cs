using System.Numerics;
using Iced.Intel;

namespace MemVirt.Cpu.Decoding;

/// <summary>Binds the operands of an instruction to an operation.</summary>
internal static unsafe class Operands
{
    /// <summary>Binds the memory operand, where there is one.</summary>
    public static void BindMemory(in Instruction instruction, Op* op, int bitness)
    {
        if (bitness == 64)
        {
            op->Traits |= OpTraits.Long;
        }

        op->Base = op->Index = RegisterFile.Zero;
        op->Segment = RegisterFile.Zero;
        op->AddressMask = ulong.MaxValue;
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) == OpKind.Memory)
            {
                op->Traits |= OpTraits.Memory;
                Bind(in instruction, op, bitness);
                return;
            }
        }
    }

    /// <summary>The register that holds the base of a segment, as an address in the mode needs it.</summary>
    public static byte BaseOf(Register segment, int bitness)
    {
        if (bitness == 64 && segment is not (Register.FS or Register.GS))
        {
            return RegisterFile.Zero;
        }

        return RegisterFile.BaseOf((SegmentName)(segment - Register.ES));
    }

    /// <summary>Bits of an address of a size in bytes.</summary>
    public static ulong MaskOf(int addressBytes)
        => addressBytes switch { 2 => ushort.MaxValue, 4 => uint.MaxValue, _ => ulong.MaxValue };

    /// <summary>Bytes of the addresses of a string instruction or XLAT.</summary>
    public static int AddressBytesOf(OpKind kind) => kind switch
    {
        OpKind.MemorySegSI or OpKind.MemorySegDI or OpKind.MemoryESDI => 2,
        OpKind.MemorySegESI or OpKind.MemorySegEDI or OpKind.MemoryESEDI => 4,
        _ => 8,
    };

    /// <summary>Binds [RDI], which MASKMOVQ and MASKMOVDQU write to.</summary>
    public static void TakeMaskedTarget(in Instruction instruction, Op* op)
    {
        op->AddressMask = MaskOf(AddressBytesOf(instruction.Op0Kind));
        op->Segment = BaseOf(instruction.MemorySegment, (op->Traits & OpTraits.Long) != 0 ? 64 : 32);
    }

    private static void Bind(in Instruction instruction, Op* op, int bitness)
    {
        Register register = instruction.MemoryBase;
        Register index = instruction.MemoryIndex;
        op->Displacement = instruction.MemoryDisplacement64;
        if (register is Register.RIP or Register.EIP)
        {
            op->Base = RegisterFile.BlockRip;
        }
        else if (register != Register.None)
        {
            op->Base = RegisterFile.OffsetOf(register);
        }

        if (index != Register.None)
        {
            op->Index = RegisterFile.OffsetOf(index);
            op->Scale = (byte)BitOperations.Log2((uint)instruction.MemoryIndexScale);
        }

        int addressBytes = AddressBytes(in instruction, register, index, bitness);
        op->AddressMask = MaskOf(addressBytes);
        op->Segment = BaseOf(instruction.MemorySegment, bitness);
        if (instruction.MemorySegment == Register.SS)
        {
            op->Traits |= OpTraits.Stack;
        }
    }

    private static int AddressBytes(in Instruction instruction, Register register, Register index, int bitness)
    {
        Register any = register != Register.None ? register : index;
        return any switch
        {
            Register.None => instruction.MemoryDisplSize is 2 or 4 or 8 && bitness != 64 ? instruction.MemoryDisplSize : bitness == 64 && instruction.MemoryDisplSize == 8 ? 8 : bitness / 8,
            Register.RIP => 8,
            Register.EIP => 4,
            >= Register.AX and <= Register.R15W => 2,
            >= Register.EAX and <= Register.R15D => 4,
            _ => 8,
        };
    }
}
