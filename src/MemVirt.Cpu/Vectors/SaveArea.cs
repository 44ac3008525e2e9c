using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.Vectors;

/// <summary>FXSAVE and FXRSTOR (Intel SDM Vol. 1 §10.5).</summary>
internal static unsafe class SaveArea
{
    private const int Bytes = 512;
    private const int VectorOffset = 160;
    private const uint MxcsrMask = 0xFFFF;

    public static Op* Save(Processor processor, Op* op)
    {
        if (!TryEnter(processor, op, out ulong address))
        {
            return null;
        }

        byte* area = stackalloc byte[Bytes];

        // Bytes 464 and up are the software's: they are written back as they are. A fault is a store's.
        if (!processor.MayStore(op, address, Bytes) || !processor.LoadBytes(op, address, new Span<byte>(area, Bytes)))
        {
            return null;
        }

        processor.FloatingPoint.Save(area, op->Size == 8);
        *(uint*)(area + 24) = processor.Mxcsr;
        *(uint*)(area + 28) = MxcsrMask;
        int registers = processor.IsLong ? 16 : 8;
        new ReadOnlySpan<byte>(processor.X, registers * 16).CopyTo(new Span<byte>(area + VectorOffset, registers * 16));
        return processor.StoreBytes(op, address, new ReadOnlySpan<byte>(area, Bytes)) ? op + 1 : null;
    }

    public static Op* Restore(Processor processor, Op* op)
    {
        if (!TryEnter(processor, op, out ulong address))
        {
            return null;
        }

        byte* area = stackalloc byte[Bytes];
        if (!processor.LoadBytes(op, address, new Span<byte>(area, Bytes)))
        {
            return null;
        }

        uint mxcsr = *(uint*)(area + 24);
        if ((mxcsr & ~MxcsrMask) != 0)
        {
            return processor.Raise(op, Vector.GeneralProtection);
        }

        processor.FloatingPoint.Restore(area, op->Size == 8);
        processor.Mxcsr = mxcsr;
        int registers = processor.IsLong ? 16 : 8;
        new ReadOnlySpan<byte>(area + VectorOffset, registers * 16).CopyTo(new Span<byte>(processor.X, registers * 16));
        return op + 1;
    }

    private static bool TryEnter(Processor processor, Op* op, out ulong address)
    {
        address = processor.Address(op);
        ulong cr0 = processor.Control.Cr0;
        if ((cr0 & (1 << 2)) != 0 || (cr0 & (1 << 3)) != 0)
        {
            processor.Raise(op, Vector.DeviceNotAvailable);
            return false;
        }

        if ((address & 15) != 0)
        {
            processor.Raise(op, Vector.GeneralProtection);
            return false;
        }

        return true;
    }
}
