using System.Runtime.Intrinsics;
using Iced.Intel;
using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Execution;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.Vectors;

/// <summary>
/// SSE instructions as operations. <see cref="Op.Size"/> is the memory operand's size, <see cref="Op.Detail"/> the instruction,
/// <see cref="Op.Extra"/> 1 where a memory operand of 16 bytes need not be aligned.
/// </summary>
internal static unsafe class VectorExecution
{
    /// <summary>An instruction of two operands that computes on integers.</summary>
    public static Op* ComputeIntegers(Processor processor, Op* op)
    {
        byte* buffer = stackalloc byte[16];
        byte* source = SourceOf(processor, op, buffer);
        if (source == null)
        {
            return null;
        }

        VectorIntegers.TryApply((Mnemonic)op->Detail, processor.X + op->Destination, source, (int)op->Immediate);
        return op + 1;
    }

    /// <summary>An instruction of two operands that computes on floats.</summary>
    public static Op* ComputeFloats(Processor processor, Op* op)
    {
        byte* buffer = stackalloc byte[16];
        byte* source = SourceOf(processor, op, buffer);
        if (source == null)
        {
            return null;
        }

        byte* destination = processor.X + op->Destination;
        if ((processor.Mxcsr & SimdExceptions.AllMasked) != SimdExceptions.AllMasked)
        {
            return ComputeUnmasked(processor, op, destination, source);
        }

        VectorFloats.Apply(processor, (Mnemonic)op->Detail, destination, source, (int)op->Immediate);
        return SimdExceptions.TrySettle(processor, op) ? op + 1 : null;
    }

    /// <summary>The source, in its register or read into a buffer of 16 bytes; null where that raised a fault.</summary>
    private static byte* SourceOf(Processor processor, Op* op, byte* buffer)
    {
        if (!processor.AreVectorsEnabled && !Enable(processor, op))
        {
            return null;
        }

        if ((op->Traits & OpTraits.Memory) == 0 && op->Source != ImmediateSource)
        {
            return processor.X + op->Source;
        }

        (*(ulong*)buffer, *(ulong*)(buffer + 8)) = (op->Immediate, 0);
        if ((op->Traits & OpTraits.Memory) == 0)
        {
            return buffer;
        }

        *(ulong*)buffer = 0;
        return Load(processor, op, buffer, op->Size) ? buffer : null;
    }

    /// <summary>Where an exception is not masked the destination and the flags stay as they were if it is met.</summary>
    private static Op* ComputeUnmasked(Processor processor, Op* op, byte* destination, byte* source)
    {
        Vector128<byte> before = Vector128.Load(destination);
        LazyFlags flags = processor.Flags;
        VectorFloats.Apply(processor, (Mnemonic)op->Detail, destination, source, (int)op->Immediate);
        if (SimdExceptions.TrySettle(processor, op))
        {
            return op + 1;
        }

        before.Store(destination);
        processor.Flags = flags;
        return null;
    }

    /// <summary>No register: the immediate is the source (shifts).</summary>
    public const byte ImmediateSource = 0xFF;

    /// <summary>A move of 16 bytes from memory.</summary>
    public static Op* Load16(Processor processor, Op* op)
    {
        if (!processor.AreVectorsEnabled && !Enable(processor, op))
        {
            return null;
        }

        return Load(processor, op, processor.X + op->Destination, 16) ? op + 1 : null;
    }

    /// <summary>A move of 16 bytes to memory.</summary>
    public static Op* Store16(Processor processor, Op* op)
    {
        if (!processor.AreVectorsEnabled && !Enable(processor, op))
        {
            return null;
        }

        ulong address = processor.Address(op);
        if (op->Extra == 0 && (address & 15) != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        return processor.StoreBytes(op, address, new ReadOnlySpan<byte>(processor.X + op->Source, 16)) ? op + 1 : null;
    }

    public static Op* Move16(Processor processor, Op* op)
    {
        if (!processor.AreVectorsEnabled && !Enable(processor, op))
        {
            return null;
        }

        ulong* from = (ulong*)(processor.X + op->Source);
        ulong* to = (ulong*)(processor.X + op->Destination);
        (to[0], to[1]) = (from[0], from[1]);
        return op + 1;
    }

    /// <summary>Everything else: moves of parts, and those that reach general registers.</summary>
    public static Op* Other(Processor processor, Op* op)
    {
        if (!processor.AreVectorsEnabled && !Enable(processor, op))
        {
            return null;
        }

        bool isMemory = (op->Traits & OpTraits.Memory) != 0;
        byte* d = processor.X + op->Destination;
        byte* s = processor.X + op->Source;
        byte* buffer = stackalloc byte[16];
        *(ulong*)buffer = *(ulong*)(buffer + 8) = 0;
        if (isMemory && !IsStore(op))
        {
            if (!Load(processor, op, buffer, op->Size))
            {
                return null;
            }

            s = buffer;
        }

        if (IsStore(op))
        {
            ulong value = (Mnemonic)op->Detail is Mnemonic.Movhps or Mnemonic.Movhpd ? *(ulong*)(s + 8) : *(ulong*)s;
            return processor.StoreBytes(op, processor.Address(op), new ReadOnlySpan<byte>(&value, op->Size)) ? op + 1 : null;
        }

        switch ((Mnemonic)op->Detail)
        {
            case Mnemonic.Movss:
                *(uint*)d = *(uint*)s;
                if (isMemory)
                {
                    *(uint*)(d + 4) = 0;
                    *(ulong*)(d + 8) = 0;
                }

                break;
            case Mnemonic.Movsd:
                *(ulong*)d = *(ulong*)s;
                if (isMemory)
                {
                    *(ulong*)(d + 8) = 0;
                }

                break;
            case Mnemonic.Movq:
                *(ulong*)d = *(ulong*)s;
                *(ulong*)(d + 8) = 0;
                break;
            case Mnemonic.Movd:
                *(ulong*)d = *(uint*)s;
                *(ulong*)(d + 8) = 0;
                break;
            case Mnemonic.Movlps or Mnemonic.Movlpd:
                *(ulong*)d = *(ulong*)s;
                break;
            case Mnemonic.Movhlps:
                *(ulong*)d = *(ulong*)(s + 8);
                break;
            case Mnemonic.Movhps or Mnemonic.Movhpd or Mnemonic.Movlhps:
                *(ulong*)(d + 8) = *(ulong*)s;
                break;
            case Mnemonic.Movddup:
                *(ulong*)d = *(ulong*)s;
                *(ulong*)(d + 8) = *(ulong*)d;
                break;
            case Mnemonic.Movsldup:
                (((uint*)d)[0], ((uint*)d)[2]) = (((uint*)s)[0], ((uint*)s)[2]);
                (((uint*)d)[1], ((uint*)d)[3]) = (((uint*)d)[0], ((uint*)d)[2]);
                break;
            default:
                (((uint*)d)[1], ((uint*)d)[3]) = (((uint*)s)[1], ((uint*)s)[3]);
                (((uint*)d)[0], ((uint*)d)[2]) = (((uint*)d)[1], ((uint*)d)[3]);
                break;
        }

        return op + 1;
    }

    /// <summary>From a general register or memory into a vector register: MOVD, MOVQ, CVTSI2SS, CVTSI2SD, PINSRW.</summary>
    public static Op* FromGeneral(Processor processor, Op* op)
    {
        if (!processor.AreVectorsEnabled && !Enable(processor, op))
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

        byte* d = processor.X + op->Destination;
        long signed = op->Size == 8 ? (long)value : (int)value;
        switch ((Mnemonic)op->Detail)
        {
            case Mnemonic.Cvtsi2ss:
                float single = FloatConversions.ToSingle(processor, signed);
                if (!SimdExceptions.TrySettle(processor, op))
                {
                    return null;
                }

                *(float*)d = single;
                break;
            case Mnemonic.Cvtsi2sd:
                double number = FloatConversions.ToDouble(processor, signed);
                if (!SimdExceptions.TrySettle(processor, op))
                {
                    return null;
                }

                *(double*)d = number;
                break;
            case Mnemonic.Pinsrw:
                ((ushort*)d)[op->Immediate & 7] = (ushort)value;
                break;
            default:
                *(ulong*)d = value;
                *(ulong*)(d + 8) = 0;
                break;
        }

        return op + 1;
    }

    /// <summary>From a vector register, or memory, to a general register; MOVD and MOVQ to memory.</summary>
    public static Op* ToGeneral(Processor processor, Op* op)
    {
        if (!processor.AreVectorsEnabled && !Enable(processor, op))
        {
            return null;
        }

        var mnemonic = (Mnemonic)op->Detail;
        byte* s = processor.X + op->Source;
        byte* buffer = stackalloc byte[16];
        bool isMove = mnemonic is Mnemonic.Movd or Mnemonic.Movq;
        if ((op->Traits & OpTraits.Memory) != 0)
        {
            if (isMove)
            {
                return processor.StoreBytes(op, processor.Address(op), new ReadOnlySpan<byte>(s, op->Size)) ? op + 1 : null;
            }

            *(ulong*)buffer = 0;
            int bytes = mnemonic is Mnemonic.Cvtss2si or Mnemonic.Cvttss2si ? 4 : 8;
            if (!processor.LoadBytes(op, processor.Address(op), new Span<byte>(buffer, bytes)))
            {
                return null;
            }

            s = buffer;
        }

        bool is64 = op->Size == 8;
        ulong value = mnemonic switch
        {
            Mnemonic.Cvtss2si => (ulong)FloatConversions.ToInteger(processor, *(float*)s, is64, truncates: false),
            Mnemonic.Cvttss2si => (ulong)FloatConversions.ToInteger(processor, *(float*)s, is64, truncates: true),
            Mnemonic.Cvtsd2si => (ulong)FloatConversions.ToInteger(processor, *(double*)s, is64, truncates: false),
            Mnemonic.Cvttsd2si => (ulong)FloatConversions.ToInteger(processor, *(double*)s, is64, truncates: true),
            Mnemonic.Pextrw => ((ushort*)s)[op->Immediate & 7],
            Mnemonic.Pmovmskb => Vector128.Load(s).ExtractMostSignificantBits(),
            Mnemonic.Movmskps => Vector128.Load((float*)s).ExtractMostSignificantBits(),
            Mnemonic.Movmskpd => Vector128.Load((double*)s).ExtractMostSignificantBits(),
            _ => *(ulong*)s,
        };
        if (!SimdExceptions.TrySettle(processor, op))
        {
            return null;
        }

        processor.Register(op->Destination) = is64 ? value : (uint)value;
        return op + 1;
    }

    /// <summary>MASKMOVDQU.</summary>
    public static Op* MaskedMove(Processor processor, Op* op)
    {
        if (!processor.AreVectorsEnabled && !Enable(processor, op))
        {
            return null;
        }

        byte* data = processor.X + op->Destination;
        byte* mask = processor.X + op->Source;
        ulong address = (processor.Register(RegisterFile.Rdi) & op->AddressMask) + processor.Register(op->Segment);
        byte* place = processor.BeginStore(op, address, 16);
        if (place == null)
        {
            return null;
        }

        for (int i = 0; i < 16; i++)
        {
            place[i] = (mask[i] & 0x80) != 0 ? data[i] : place[i];
        }

        processor.EndModify(op, place, 16);
        return op + 1;
    }

    public static Op* LoadControl(Processor processor, Op* op)
    {
        if (!processor.AreVectorsEnabled && !Enable(processor, op))
        {
            return null;
        }

        if (!processor.Load<Width32>(op, processor.Address(op), out ulong value))
        {
            return null;
        }

        if (value >> 16 != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        processor.Mxcsr = (uint)value;
        return op + 1;
    }

    public static Op* StoreControl(Processor processor, Op* op)
    {
        if (!processor.AreVectorsEnabled && !Enable(processor, op))
        {
            return null;
        }

        return processor.Store<Width32>(op, processor.Address(op), processor.Mxcsr) ? op + 1 : null;
    }

    /// <summary>#UD with CR0.EM or without CR4.OSFXSR, #NM with CR0.TS (Intel SDM Vol. 3A table 13-1).</summary>
    public static bool Enable(Processor processor, Op* op)
    {
        ulong cr0 = processor.Control.Cr0;
        bool isUndefined = (cr0 & (1 << 2)) != 0 || (processor.Control.Cr4 & (1 << 9)) == 0;
        if (isUndefined)
        {
            processor.Raise(op, Vector.InvalidOpcode);
            return false;
        }

        if ((cr0 & (1 << 3)) != 0)
        {
            processor.Raise(op, Vector.DeviceNotAvailable);
            return false;
        }

        return true;
    }

    private static bool IsStore(Op* op) => op->Destination == ImmediateSource;

    private static bool Load(Processor processor, Op* op, byte* into, int bytes)
    {
        ulong address = processor.Address(op);
        if (bytes == 16 && op->Extra == 0 && (address & 15) != 0)
        {
            processor.Raise(op, Vector.GeneralProtection);
            return false;
        }

        return processor.LoadBytes(op, address, new Span<byte>(into, bytes));
    }
}
