using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Segmentation;

namespace MemVirt.Cpu.Execution;

/// <summary>VERR, VERW, LAR, LSL and ARPL (Intel SDM Vol. 3A §5.10).</summary>
internal static unsafe class SelectorChecks
{
    /// <summary>VERR, VERW (<see cref="Op.Detail"/> 1), LAR (2), LSL (3).</summary>
    public static Op* Verify(Processor processor, Op* op)
    {
        if (!SystemOperands.TryWord(processor, op, out ulong value))
        {
            return null;
        }

        var selector = (ushort)value;
        bool isVisible = false;
        Descriptor descriptor = default;
        if ((selector & 0xFFFC) != 0 && Descriptors.TryLocate(processor, selector, 8, out ulong address))
        {
            if (!Descriptors.Load(processor, op, address, out ulong raw))
            {
                return null;
            }

            descriptor = new Descriptor(raw);
            bool isOutranked = !descriptor.IsConforming
                               && (descriptor.PrivilegeLevel < processor.CurrentPrivilegeLevel || descriptor.PrivilegeLevel < (selector & 3));
            isVisible = !isOutranked && IsKind(processor, op->Detail, in descriptor);
        }

        processor.Flags.SetZero(isVisible);
        if (isVisible && op->Detail >= 2)
        {
            uint answer = op->Detail == 2 ? (uint)(descriptor.Value >> 32) & 0x00F0_FF00 : descriptor.Limit;
            switch (op->Size)
            {
                case 2:
                    Width16.PutRegister(processor.R + op->Destination, answer);
                    break;
                default:
                    Width32.PutRegister(processor.R + op->Destination, answer);
                    break;
            }
        }

        return op + 1;
    }

    /// <summary>ARPL.</summary>
    public static Op* AdjustRequestedPrivilege(Processor processor, Op* op)
    {
        bool isMemory = (op->Traits & OpTraits.Memory) != 0;
        byte* place = isMemory ? processor.BeginModify(op, processor.Address(op), 2) : processor.R + op->Destination;
        if (place == null)
        {
            return null;
        }

        ulong destination = Width16.Get(place);
        ulong source = Width16.Get(processor.R + op->Source);
        bool adjusts = (destination & 3) < (source & 3);
        if (adjusts)
        {
            Width16.Put(place, (destination & ~3UL) | (source & 3));
        }

        if (isMemory)
        {
            processor.EndModify(op, place, 2);
        }

        processor.Flags.SetZero(adjusts);
        return op + 1;
    }

    private static bool IsKind(Processor processor, int detail, in Descriptor descriptor)
    {
        if (descriptor.IsSegment)
        {
            return detail switch { 0 => descriptor.IsReadable, 1 => descriptor.IsWritable, _ => true };
        }

        bool isLongMode = processor.IsLongModeActive;
        return detail switch
        {
            2 => isLongMode ? descriptor.Type is 2 or 9 or 11 or 12 : descriptor.Type is 1 or 2 or 3 or 4 or 5 or 9 or 11 or 12,
            3 => isLongMode ? descriptor.Type is 2 or 9 or 11 : descriptor.Type is 1 or 2 or 3 or 9 or 11,
            _ => false,
        };
    }
}
