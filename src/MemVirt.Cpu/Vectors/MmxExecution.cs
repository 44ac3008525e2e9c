using System.Runtime.Intrinsics;
using Iced.Intel;
using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Execution;
using MemVirt.Cpu.FloatingPoint;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.Vectors;

/// <summary>
/// Instructions on MM registers, which are the significands of the x87 registers (Intel SDM Vol. 3A ch. 12): MMX, and those of SSE and
/// SSE2. <see cref="Op.Detail"/> is the instruction, <see cref="Op.Size"/> the size of the memory or general operand.
/// </summary>
internal static unsafe class MmxExecution
{
    private const ulong Emulation = 1 << 2;
    private const ulong SaveVectors = 1 << 9;

    /// <summary>Two operands that compute into an MM register; a move too.</summary>
    public static Op* Compute(Processor processor, Op* op)
    {
        if (!TryEnter(processor, op) || !TrySource(processor, op, out ulong source))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        unit.EnterMmx();
        ulong value = unit.Mmx(op->Destination);
        if ((Mnemonic)op->Detail is Mnemonic.Movq or Mnemonic.Movd)
        {
            value = source;
        }
        else
        {
            MmxIntegers.TryApply((Mnemonic)op->Detail, ref value, source, (int)op->Immediate);
        }

        unit.SetMmx(op->Destination, value);
        return op + 1;
    }

    /// <summary>MOVQ and MOVNTQ to memory, MOVD and MOVQ to memory of a general operand's size.</summary>
    public static Op* Store(Processor processor, Op* op)
    {
        if (!TryEnter(processor, op))
        {
            return null;
        }

        ulong value = processor.FloatingPoint.Mmx(op->Source);
        if (!processor.StoreBytes(op, processor.Address(op), new ReadOnlySpan<byte>(&value, op->Size)))
        {
            return null;
        }

        processor.FloatingPoint.EnterMmx();
        return op + 1;
    }

    /// <summary>MOVD, MOVQ and PINSRW from a general register or memory of its size.</summary>
    public static Op* FromGeneral(Processor processor, Op* op)
    {
        if (!TryEnter(processor, op))
        {
            return null;
        }

        ulong value = 0;
        if ((op->Traits & OpTraits.Memory) == 0)
        {
            value = op->Size == 8 ? processor.Register(op->Source) : (uint)processor.Register(op->Source);
        }
        else if (!processor.LoadBytes(op, processor.Address(op), new Span<byte>(&value, op->Size)))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        unit.EnterMmx();
        if ((Mnemonic)op->Detail == Mnemonic.Pinsrw)
        {
            int shift = (int)(op->Immediate & 3) * 16;
            value = (unit.Mmx(op->Destination) & ~(0xFFFFUL << shift)) | ((ulong)(ushort)value << shift);
        }

        unit.SetMmx(op->Destination, value);
        return op + 1;
    }

    /// <summary>MOVD, MOVQ, PEXTRW and PMOVMSKB to a general register.</summary>
    public static Op* ToGeneral(Processor processor, Op* op)
    {
        if (!TryEnter(processor, op))
        {
            return null;
        }

        FloatingPointUnit unit = processor.FloatingPoint;
        unit.EnterMmx();
        ulong source = unit.Mmx(op->Source);
        ulong value = (Mnemonic)op->Detail switch
        {
            Mnemonic.Pextrw => (ushort)(source >> ((int)(op->Immediate & 3) * 16)),
            Mnemonic.Pmovmskb => Vector64.Create(source).AsByte().ExtractMostSignificantBits(),
            _ => source,
        };
        processor.Register(op->Destination) = op->Size == 8 ? value : (uint)value;
        return op + 1;
    }

    /// <summary>MASKMOVQ.</summary>
    public static Op* MaskedMove(Processor processor, Op* op)
    {
        const int bytes = 8;
        if (!TryEnter(processor, op))
        {
            return null;
        }

        ulong data = processor.FloatingPoint.Mmx(op->Destination);
        ulong mask = processor.FloatingPoint.Mmx(op->Source);
        ulong address = (processor.Register(RegisterFile.Rdi) & op->AddressMask) + processor.Register(op->Segment);
        byte* place = processor.BeginStore(op, address, bytes);
        if (place == null)
        {
            return null;
        }

        for (int i = 0; i < bytes; i++)
        {
            place[i] = (mask >> (i * 8) & 0x80) != 0 ? (byte)(data >> (i * 8)) : place[i];
        }

        processor.EndModify(op, place, bytes);
        processor.FloatingPoint.EnterMmx();
        return op + 1;
    }

    /// <summary>EMMS.</summary>
    public static Op* Empty(Processor processor, Op* op)
    {
        if (!TryEnter(processor, op))
        {
            return null;
        }

        processor.FloatingPoint.EnterMmx();
        processor.FloatingPoint.Tags = 0;
        return op + 1;
    }

    /// <summary>CVTPI2PS and CVTPI2PD; of the latter with a memory operand the x87 unit does not know.</summary>
    public static Op* ConvertFromMmx(Processor processor, Op* op)
    {
        var mnemonic = (Mnemonic)op->Detail;
        bool isOfMemory = (op->Traits & OpTraits.Memory) != 0;
        bool isAside = isOfMemory && mnemonic == Mnemonic.Cvtpi2pd;
        if (!TryEnterSse(processor, op, isAside) || !TrySource(processor, op, out ulong source))
        {
            return null;
        }

        ulong* operands = stackalloc ulong[4];
        operands[0] = source;
        VectorFloats.Apply(
            processor, mnemonic == Mnemonic.Cvtpi2ps ? Mnemonic.Cvtdq2ps : Mnemonic.Cvtdq2pd, (byte*)(operands + 2), (byte*)operands, 0);
        if (!SimdExceptions.TrySettle(processor, op))
        {
            return null;
        }

        ulong* d = (ulong*)(processor.X + op->Destination);
        d[0] = operands[2];
        if (mnemonic == Mnemonic.Cvtpi2pd)
        {
            d[1] = operands[3];
        }

        if (!isAside)
        {
            processor.FloatingPoint.EnterMmx();
        }

        return op + 1;
    }

    /// <summary>CVTPS2PI, CVTTPS2PI, CVTPD2PI and CVTTPD2PI.</summary>
    public static Op* ConvertToMmx(Processor processor, Op* op)
    {
        ulong* operands = stackalloc ulong[4];
        if (!TryEnterSse(processor, op, isAside: false))
        {
            return null;
        }

        if ((op->Traits & OpTraits.Memory) == 0)
        {
            ulong* s = (ulong*)(processor.X + op->Source);
            (operands[0], operands[1]) = (s[0], op->Size == 16 ? s[1] : 0);
        }
        else
        {
            ulong address = processor.Address(op);
            if (op->Size == 16 && (address & 15) != 0)
            {
                return processor.Raise(op, Vector.GeneralProtection);
            }

            if (!processor.LoadBytes(op, address, new Span<byte>(operands, op->Size)))
            {
                return null;
            }
        }

        Mnemonic whole = (Mnemonic)op->Detail switch
        {
            Mnemonic.Cvtps2pi => Mnemonic.Cvtps2dq,
            Mnemonic.Cvttps2pi => Mnemonic.Cvttps2dq,
            Mnemonic.Cvtpd2pi => Mnemonic.Cvtpd2dq,
            _ => Mnemonic.Cvttpd2dq,
        };
        VectorFloats.Apply(processor, whole, (byte*)(operands + 2), (byte*)operands, 0);
        if (!SimdExceptions.TrySettle(processor, op))
        {
            return null;
        }

        processor.FloatingPoint.EnterMmx();
        processor.FloatingPoint.SetMmx(op->Destination, operands[2]);
        return op + 1;
    }

    /// <summary>MOVQ2DQ.</summary>
    public static Op* MoveToVector(Processor processor, Op* op)
    {
        if (!TryEnterSse(processor, op, isAside: false))
        {
            return null;
        }

        processor.FloatingPoint.EnterMmx();
        ulong* d = (ulong*)(processor.X + op->Destination);
        (d[0], d[1]) = (processor.FloatingPoint.Mmx(op->Source), 0);
        return op + 1;
    }

    /// <summary>MOVDQ2Q.</summary>
    public static Op* MoveFromVector(Processor processor, Op* op)
    {
        if (!TryEnterSse(processor, op, isAside: false))
        {
            return null;
        }

        processor.FloatingPoint.EnterMmx();
        processor.FloatingPoint.SetMmx(op->Destination, *(ulong*)(processor.X + op->Source));
        return op + 1;
    }

    /// <summary>#UD with CR0.EM, #NM with CR0.TS, #MF where an x87 exception waits (Intel SDM Vol. 3A table 12-1).</summary>
    private static bool TryEnter(Processor processor, Op* op)
    {
        if ((processor.Control.Cr0 & Emulation) == 0)
        {
            return FloatingPointEntry.TryEnterWaiting(processor, op);
        }

        processor.Raise(op, Vector.InvalidOpcode);
        return false;
    }

    private static bool TryEnterSse(Processor processor, Op* op, bool isAside)
    {
        if ((processor.Control.Cr4 & SaveVectors) == 0)
        {
            processor.Raise(op, Vector.InvalidOpcode);
            return false;
        }

        return isAside ? VectorExecution.Enable(processor, op) : TryEnter(processor, op);
    }

    private static bool TrySource(Processor processor, Op* op, out ulong source)
    {
        if ((op->Traits & OpTraits.Memory) != 0)
        {
            ulong read = 0;
            bool isRead = processor.LoadBytes(op, processor.Address(op), new Span<byte>(&read, op->Size));
            source = read;
            return isRead;
        }

        source = op->Source == VectorExecution.ImmediateSource ? op->Immediate : processor.FloatingPoint.Mmx(op->Source);
        return true;
    }
}
