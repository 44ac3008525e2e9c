using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.Segmentation;

/// <summary>Loads of segment registers (Intel SDM Vol. 2 "MOV", "POP", Vol. 3A §3.4.3, §5.5).</summary>
internal static unsafe class SegmentLoads
{
    /// <summary>MOV or POP to ES, DS, FS or GS; false where it faults.</summary>
    public static bool TryLoadData(Processor processor, Op* op, SegmentName name, ushort selector)
        => TryLoadData(processor, op, name, selector, Vector.GeneralProtection, 0);

    /// <summary>A load of ES, DS, FS or GS, with the vector of what may not be loaded; false where it faults.</summary>
    public static bool TryLoadData(Processor processor, Op* op, SegmentName name, ushort selector, int invalid, uint ext)
    {
        if ((selector & 0xFFFC) == 0)
        {
            // In 64-bit mode FS and GS lose their base too (Intel; AMD keeps it).
            processor.SetSegment(name, new SegmentRegister { Selector = selector });
            return true;
        }

        if (!Descriptors.TryRead(processor, op, selector, ext, out Descriptor descriptor, invalid))
        {
            return false;
        }

        uint error = (selector & 0xFFFCu) | ext;
        int requested = selector & 3;
        bool isOutranked = !descriptor.IsConforming
                           && (descriptor.PrivilegeLevel < requested || descriptor.PrivilegeLevel < processor.CurrentPrivilegeLevel);
        if (!descriptor.IsReadable || isOutranked)
        {
            processor.Raise(op, invalid, error);
            return false;
        }

        if (!descriptor.IsPresent)
        {
            processor.Raise(op, Vector.SegmentNotPresent, error);
            return false;
        }

        if (!Descriptors.TrySetAccessed(processor, op, selector, ref descriptor))
        {
            return false;
        }

        processor.SetSegment(name, descriptor.ToSegment(selector));
        return true;
    }

    /// <summary>MOV or POP to SS; false where it faults.</summary>
    public static bool TryLoadStack(Processor processor, Op* op, ushort selector)
    {
        int level = processor.CurrentPrivilegeLevel;
        if ((selector & 0xFFFC) == 0 && processor.IsLong && level != 3 && (selector & 3) == level)
        {
            processor.SetSegment(SegmentName.Ss, new SegmentRegister { Selector = selector, Attributes = (uint)level << 13 });
            return true;
        }

        if (!TryStack(processor, op, selector, level, Vector.GeneralProtection, 0, out SegmentRegister stack))
        {
            return false;
        }

        processor.SetSegment(SegmentName.Ss, in stack);
        return true;
    }

    /// <summary>A stack segment for a level, outside any instruction.</summary>
    public static bool TryStack(Processor processor, ushort selector, int level, int vector, uint ext, out SegmentRegister stack)
        => TryStack(processor, null, selector, level, vector, ext, out stack);

    /// <summary>A stack segment for a level, checked.</summary>
    public static bool TryStack(Processor processor, Op* op, ushort selector, int level, int vector, uint ext, out SegmentRegister stack)
    {
        stack = default;
        uint error = (selector & 0xFFFCu) | ext;
        if ((selector & 0xFFFC) == 0)
        {
            processor.Raise(op, vector, ext);
            return false;
        }

        if (!Descriptors.TryRead(processor, op, selector, ext, out Descriptor descriptor, vector))
        {
            return false;
        }

        if ((selector & 3) != level || descriptor.PrivilegeLevel != level || !descriptor.IsWritable)
        {
            processor.Raise(op, vector, error);
            return false;
        }

        if (!descriptor.IsPresent)
        {
            processor.Raise(op, Vector.StackFault, error);
            return false;
        }

        if (!Descriptors.TrySetAccessed(processor, op, selector, ref descriptor))
        {
            return false;
        }

        stack = descriptor.ToSegment(selector);
        return true;
    }
}
