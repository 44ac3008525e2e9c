using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;
using MemVirt.Cpu.Segmentation;

namespace MemVirt.Cpu.Execution;

/// <summary>Far RET and IRET (Intel SDM Vol. 3A §5.8.6, Vol. 2 "IRET").</summary>
internal static unsafe class FarReturns
{
    /// <summary>Far RET, <see cref="Op.Immediate"/> bytes of parameters.</summary>
    public static Op* Return(Processor processor, Op* op)
    {
        int size = op->Size;
        if (!Peek(processor, op, 0, size, out ulong rip) || !Peek(processor, op, size, size, out ulong cs))
        {
            return null;
        }

        return Return(processor, op, rip, (ushort)cs, op->Immediate, 2 * size, size, flags: null);
    }

    /// <summary>IRET of an operand size.</summary>
    public static Op* InterruptReturn(Processor processor, Op* op)
    {
        processor.UnblockNonMaskable();
        if ((processor.SystemFlags & SystemFlag.NestedTask) != 0)
        {
            return processor.IsLongModeActive ? processor.Raise(op, Vector.GeneralProtection) : TaskSwitch.Return(processor, op);
        }

        int size = op->Size;
        if (!Peek(processor, op, 0, size, out ulong rip) || !Peek(processor, op, size, size, out ulong cs)
            || !Peek(processor, op, 2 * size, size, out ulong flags))
        {
            return null;
        }

        return Return(processor, op, rip, (ushort)cs, 0, 3 * size, size, &flags);
    }

    private static Op* Return(
        Processor processor, Op* op, ulong rip, ushort selector, ulong parameterBytes, int frameBytes, int size, ulong* flags)
    {
        int level = processor.CurrentPrivilegeLevel;
        if ((selector & 0xFFFC) == 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        if (!Descriptors.TryRead(processor, op, selector, 0, out Descriptor descriptor))
        {
            return null;
        }

        int requested = selector & 3;
        uint error = selector & 0xFFFCu;
        bool isBad = !descriptor.IsCode || requested < level
                     || (descriptor.IsConforming ? descriptor.PrivilegeLevel > requested : descriptor.PrivilegeLevel != requested)
                     || (processor.IsLongModeActive && descriptor.IsLong && descriptor.IsDefault32);
        if (isBad)
        {
            return processor.Raise(op, Vector.GeneralProtection, error);
        }

        if (!descriptor.IsPresent)
        {
            return processor.Raise(op, Vector.SegmentNotPresent, error);
        }

        bool toLong = processor.IsLongModeActive && descriptor.IsLong;
        bool isTarget = toLong ? processor.Unit.Linear.TryCanonicalize(rip, dataAccess: false, out _) : (uint)rip <= descriptor.Limit;
        bool hasStack = requested > level || (flags != null && processor.IsLong);
        SegmentRegister stack = default;
        ulong rsp = 0;
        if (hasStack)
        {
            ulong at = (ulong)frameBytes + parameterBytes;
            if (!Peek(processor, op, (int)at, size, out rsp) || !Peek(processor, op, (int)at + size, size, out ulong ss)
                || !TryReturnStack(processor, op, (ushort)ss, requested, toLong, out stack))
            {
                return null;
            }
        }

        if (!isTarget)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        if (!Descriptors.TrySetAccessed(processor, op, selector, ref descriptor))
        {
            return null;
        }

        if (flags != null)
        {
            RestoreFlags(processor, (uint)*flags, size, level);
        }

        processor.SetSegment(SegmentName.Cs, descriptor.ToSegment(selector));
        if (hasStack)
        {
            processor.SetSegment(SegmentName.Ss, in stack);
            ulong mask = processor.StackMask;
            ref ulong place = ref processor.Register(RegisterFile.Rsp);
            ulong after = requested > level ? rsp + parameterBytes : rsp;
            place = mask == ulong.MaxValue ? after : mask == uint.MaxValue ? (uint)after : (place & ~mask) | (after & mask);
        }
        else
        {
            Stack.Drop(processor, (ulong)frameBytes + parameterBytes);
        }

        processor.SetPrivilege(requested);
        if (requested > level)
        {
            DropOutranked(processor, requested);
        }

        processor.Rip = toLong ? rip : size == 2 ? (ushort)rip : (uint)rip;
        processor.Remaining += op->After;
        processor.InterruptsMayBeEnabled();
        return null;
    }

    private static bool TryReturnStack(Processor processor, Op* op, ushort selector, int level, bool toLong, out SegmentRegister stack)
    {
        if ((selector & 0xFFFC) == 0 && toLong && level != 3)
        {
            stack = new SegmentRegister { Selector = selector, Attributes = (uint)level << 13 };
            if ((selector & 3) == level)
            {
                return true;
            }

            processor.Raise(op, Vector.GeneralProtection, 0);
            return false;
        }

        return SegmentLoads.TryStack(processor, op, selector, level, Vector.GeneralProtection, 0, out stack);
    }

    private static void RestoreFlags(Processor processor, uint image, int size, int level)
    {
        // As POPF, by the level that IRET leaves; RF comes from the image.
        uint mask = LazyFlags.All | SystemFlag.Trap | SystemFlag.Direction | SystemFlag.NestedTask;
        if (size != 2)
        {
            mask |= SystemFlag.AlignmentCheck | SystemFlag.Identification | SystemFlag.Resume;
        }

        mask |= level == 0 ? SystemFlag.PrivilegeLevel : 0;
        mask |= level <= FlagWrites.IoPrivilegeLevel(processor) ? SystemFlag.Interrupt : 0;
        uint flags = (image & mask) | ((uint)processor.Rflags & ~mask);

        // The next instruction ends RF; without breakpoints, which alone ask for it, it ends here.
        processor.Rflags = processor.HasBreakpoints ? flags : flags & ~SystemFlag.Resume;
    }

    /// <summary>Data segments that the outer level may not have become null (Intel SDM Vol. 3A §5.8.6).</summary>
    private static void DropOutranked(Processor processor, int level)
    {
        ReadOnlySpan<SegmentName> names = [SegmentName.Es, SegmentName.Ds, SegmentName.Fs, SegmentName.Gs];
        foreach (SegmentName name in names)
        {
            ref SegmentRegister segment = ref processor.Segments[(int)name];
            int type = (int)(segment.Attributes >> 8) & 15;
            bool isConforming = (type & 12) == 12;
            if ((segment.Selector & 0xFFFC) != 0 && !isConforming && segment.PrivilegeLevel < level)
            {
                // The selector is null and the segment unusable; the base stays, which in 64-bit mode FS and GS go on to have.
                processor.SetSegment(name, segment with { Selector = 0, Attributes = 0 });
            }
        }
    }

    internal static bool Peek(Processor processor, Op* op, int offset, int size, out ulong value)
        => size switch
        {
            2 => Stack.Peek<Width16>(processor, op, (ulong)offset, out value),
            4 => Stack.Peek<Width32>(processor, op, (ulong)offset, out value),
            _ => Stack.Peek<Width64>(processor, op, (ulong)offset, out value),
        };
}
