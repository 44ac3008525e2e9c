using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;
using MemVirt.Cpu.Segmentation;

namespace MemVirt.Cpu.Execution;

/// <summary>Far JMP and CALL, through call gates too (Intel SDM Vol. 3A §5.8).</summary>
internal static unsafe class FarTransfers
{
    /// <summary>Far JMP to <see cref="Op.Extra"/>:<see cref="Op.Immediate"/>, or to what memory holds.</summary>
    public static Op* Jump(Processor processor, Op* op)
        => TryTarget(processor, op, out ushort selector, out ulong offset) ? Go(processor, op, selector, offset, isCall: false) : null;

    /// <summary>Far CALL.</summary>
    public static Op* Call(Processor processor, Op* op)
        => TryTarget(processor, op, out ushort selector, out ulong offset) ? Go(processor, op, selector, offset, isCall: true) : null;

    private static Op* Go(Processor processor, Op* op, ushort selector, ulong offset, bool isCall)
    {
        if ((selector & 0xFFFC) == 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        if (!Descriptors.TryRead(processor, op, selector, 0, out Descriptor descriptor))
        {
            return null;
        }

        uint error = selector & 0xFFFCu;
        if (TaskSwitch.IsTask(processor, in descriptor))
        {
            return TaskSwitch.Transfer(processor, op, selector, in descriptor, isCall);
        }

        if (!descriptor.IsCode)
        {
            return ThroughGate(processor, op, selector, in descriptor, isCall);
        }

        int level = processor.CurrentPrivilegeLevel;
        bool isBad = descriptor.IsConforming
            ? descriptor.PrivilegeLevel > level
            : (selector & 3) > level || descriptor.PrivilegeLevel != level;
        isBad |= processor.IsLongModeActive && descriptor.IsLong && descriptor.IsDefault32;
        if (isBad)
        {
            return processor.Raise(op, Vector.GeneralProtection, error);
        }

        if (!descriptor.IsPresent)
        {
            return processor.Raise(op, Vector.SegmentNotPresent, error);
        }

        bool toLong = processor.IsLongModeActive && descriptor.IsLong;
        if (toLong ? !processor.Unit.Linear.TryCanonicalize(offset, dataAccess: false, out _) : offset > descriptor.Limit)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        if (isCall && !PushReturn(processor, op, op->Size))
        {
            return null;
        }

        if (!Descriptors.TrySetAccessed(processor, op, selector, ref descriptor))
        {
            return null;
        }

        processor.Rip = offset;
        processor.Remaining += op->After;
        processor.SetSegment(SegmentName.Cs, descriptor.ToSegment((ushort)((selector & 0xFFFC) | level)));
        return null;
    }

    private static Op* ThroughGate(Processor processor, Op* op, ushort selector, in Descriptor gate, bool isCall)
    {
        const int Gate16 = 4;
        const int Gate32 = 12;
        uint error = selector & 0xFFFCu;
        int level = processor.CurrentPrivilegeLevel;
        bool isLongMode = processor.IsLongModeActive;
        bool isGate = !gate.IsSegment && (gate.Type == Gate32 || (gate.Type == Gate16 && !isLongMode));
        if (!isGate || gate.PrivilegeLevel < level || gate.PrivilegeLevel < (selector & 3))
        {
            return processor.Raise(op, Vector.GeneralProtection, error);
        }

        if (!gate.IsPresent)
        {
            return processor.Raise(op, Vector.SegmentNotPresent, error);
        }

        ulong target = (gate.Value & 0xFFFF) | (gate.Type == Gate32 ? gate.Value >> 32 & 0xFFFF_0000 : 0);
        if (isLongMode)
        {
            if (!Descriptors.TryReadSystem(processor, op, selector, 0, out Descriptor whole))
            {
                return null;
            }

            target |= (ulong)whole.UpperBase << 32;
        }

        var codeSelector = (ushort)(gate.Value >> 16);
        uint codeError = codeSelector & 0xFFFCu;
        if ((codeSelector & 0xFFFC) == 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        if (!Descriptors.TryRead(processor, op, codeSelector, 0, out Descriptor code))
        {
            return null;
        }

        bool isBad = !code.IsCode || code.PrivilegeLevel > level || (isLongMode && (!code.IsLong || code.IsDefault32))
                     || (!isCall && !code.IsConforming && code.PrivilegeLevel != level);
        if (isBad)
        {
            return processor.Raise(op, Vector.GeneralProtection, codeError);
        }

        if (!code.IsPresent)
        {
            return processor.Raise(op, Vector.SegmentNotPresent, codeError);
        }

        int newLevel = code.IsConforming || !isCall ? level : code.PrivilegeLevel;
        int size = isLongMode ? 8 : gate.Type == Gate32 ? 4 : 2;
        if (newLevel < level)
        {
            if (!EnterInner(processor, op, newLevel, size, (int)(gate.Value >> 32) & 31))
            {
                return null;
            }
        }
        else if (isCall && !PushReturn(processor, op, size))
        {
            return null;
        }

        processor.Rip = target;
        processor.Remaining += op->After;
        processor.SetSegment(SegmentName.Cs, code.ToSegment((ushort)((codeSelector & 0xFFFC) | newLevel)));
        processor.SetPrivilege(newLevel);
        return null;
    }

    /// <summary>Switches to an inner level's stack and pushes the old one, parameters and the return address.</summary>
    private static bool EnterInner(Processor processor, Op* op, int newLevel, int size, int parameters)
    {
        int level = processor.CurrentPrivilegeLevel;
        ref SegmentRegister task = ref processor.Tables.Task;
        ulong oldRsp = processor.Register(RegisterFile.Rsp);
        SegmentRegister oldStack = processor.Segments[(int)SegmentName.Ss];
        ulong* words = stackalloc ulong[4 + 32];
        int count = 0;
        words[count++] = processor.RipOf(op->Next);
        words[count++] = processor.Segments[(int)SegmentName.Cs].Selector;
        if (size != 8)
        {
            for (int i = 0; i < parameters; i++)
            {
                if (!FarReturns.Peek(processor, op, i * size, size, out words[count++]))
                {
                    return false;
                }
            }
        }

        words[count++] = oldRsp;
        words[count++] = oldStack.Selector;
        ulong rsp;
        SegmentRegister stack;
        if (size == 8)
        {
            uint offset = 4 + ((uint)newLevel * 8);
            if (offset + 7 > task.Limit)
            {
                processor.Raise(op, Vector.InvalidTaskState, task.Selector & 0xFFFCu);
                return false;
            }

            if (!Descriptors.Load(processor, op, task.Base + offset, out rsp))
            {
                return false;
            }

            stack = new SegmentRegister { Selector = (ushort)newLevel, Attributes = (uint)newLevel << 13 };
        }
        else
        {
            bool is32 = (task.Attributes & 0x800) != 0;
            uint offset = is32 ? 4 + ((uint)newLevel * 8) : 2 + ((uint)newLevel * 4);
            if (offset + (is32 ? 5u : 3u) > task.Limit)
            {
                processor.Raise(op, Vector.InvalidTaskState, task.Selector & 0xFFFCu);
                return false;
            }

            if (!Descriptors.Load(processor, op, task.Base + offset, out ulong entry))
            {
                return false;
            }

            rsp = is32 ? (uint)entry : (ushort)entry;
            var selector = (ushort)(is32 ? entry >> 32 : entry >> 16);
            if (!SegmentLoads.TryStack(processor, op, selector, newLevel, Vector.InvalidTaskState, 0, out stack))
            {
                return false;
            }
        }

        byte* image = stackalloc byte[36 * 8];
        for (int i = 0; i < count; i++)
        {
            ulong word = words[i];
            new ReadOnlySpan<byte>(&word, size).CopyTo(new Span<byte>(image + (i * size), size));
        }

        ulong mask = size == 8 ? ulong.MaxValue : stack.IsDefault32 ? uint.MaxValue : ushort.MaxValue;
        ulong bottom = (rsp - (ulong)(count * size)) & mask;
        processor.Unit.ChangePrivilege((byte)newLevel, alignmentCheck: false);
        if (!processor.StoreBytes(op, stack.Base + bottom, new ReadOnlySpan<byte>(image, count * size)))
        {
            processor.SetPrivilege(level);
            return false;
        }

        processor.SetSegment(SegmentName.Ss, in stack);
        processor.Register(RegisterFile.Rsp) = bottom;
        return true;
    }

    private static bool PushReturn(Processor processor, Op* op, int size)
    {
        ulong rsp = processor.Register(RegisterFile.Rsp);
        ulong selector = processor.Segments[(int)SegmentName.Cs].Selector;
        ulong rip = processor.RipOf(op->Next);
        bool pushed = size switch
        {
            2 => Stack.Push<Width16>(processor, op, selector) && Stack.Push<Width16>(processor, op, rip),
            4 => Stack.Push<Width32>(processor, op, selector) && Stack.Push<Width32>(processor, op, rip),
            _ => Stack.Push<Width64>(processor, op, selector) && Stack.Push<Width64>(processor, op, rip),
        };
        if (!pushed)
        {
            processor.Register(RegisterFile.Rsp) = rsp;
        }

        return pushed;
    }

    private static bool TryTarget(Processor processor, Op* op, out ushort selector, out ulong offset)
    {
        selector = (ushort)op->Extra;
        offset = op->Immediate;
        if ((op->Traits & OpTraits.Memory) == 0)
        {
            return true;
        }

        ulong address = processor.Address(op);
        bool loaded = op->Size switch
        {
            2 => processor.Load<Width16>(op, address, out offset),
            4 => processor.Load<Width32>(op, address, out offset),
            _ => processor.Load<Width64>(op, address, out offset),
        };
        if (!loaded || !processor.Load<Width16>(op, address + op->Size, out ulong value))
        {
            return false;
        }

        selector = (ushort)value;
        return true;
    }
}
