using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.Execution;

/// <summary>MOV to and from debug registers (Intel SDM Vol. 3B §18.2).</summary>
internal static unsafe class DebugRegisterMoves
{
    public static Op* MoveFromDebug(Processor processor, Op* op)
    {
        if (!TryDebugAccess(processor, op, out int number))
        {
            return null;
        }

        ref DebugRegisters debug = ref processor.Debug;
        ulong value = number switch { 0 => debug.Dr0, 1 => debug.Dr1, 2 => debug.Dr2, 3 => debug.Dr3, 6 => debug.Dr6, _ => debug.Dr7 };
        processor.Register(op->Destination) = processor.IsLong ? value : (uint)value;
        return op + 1;
    }

    public static Op* MoveToDebug(Processor processor, Op* op)
    {
        if (!TryDebugAccess(processor, op, out int number))
        {
            return null;
        }

        ulong value = processor.Register(op->Source);
        value = processor.IsLong ? value : (uint)value;
        if (number >= 6 && value >> 32 != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        ref DebugRegisters debug = ref processor.Debug;
        switch (number)
        {
            case 0:
                debug.Dr0 = value;
                break;
            case 1:
                debug.Dr1 = value;
                break;
            case 2:
                debug.Dr2 = value;
                break;
            case 3:
                debug.Dr3 = value;
                break;
            case 6:
                // Bit 16 says that the exception was not in a transaction: always, where there are none.
                debug.Dr6 = (value & 0xE00F) | 0xFFFF_0FF0;
                break;
            default:
                debug.Dr7 = (value & 0xFFFF_2FFF) | 0x400;
                break;
        }

        processor.ModeChanged();
        return processor.LeaveAfter(op);
    }

    private static bool TryDebugAccess(Processor processor, Op* op, out int number)
    {
        const ulong DebuggingExtensions = 1 << 3;
        number = op->Detail;
        if (number is 4 or 5)
        {
            if ((processor.Control.Cr4 & DebuggingExtensions) != 0)
            {
                processor.Raise(op, Vector.InvalidOpcode);
                return false;
            }

            number += 2;
        }

        if (processor.CurrentPrivilegeLevel == 0)
        {
            return processor.TryDebugRegisterAccess(op);
        }

        processor.Raise(op, Vector.GeneralProtection);
        return false;
    }
}
