using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Execution;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu.Segmentation;

/// <summary>The descriptor tables in memory. Accesses are implicit supervisor accesses, whatever CPL is.</summary>
internal static unsafe class Descriptors
{
    private const ushort TableIndicator = 4;

    /// <summary>Reads the descriptor of a selector; false where that faults, or the selector lies past the table: #GP(selector).</summary>
    /// <param name="processor">The processor.</param>
    /// <param name="op">The instruction, or null.</param>
    /// <param name="selector">The selector, not null.</param>
    /// <param name="ext">EXT of the error code.</param>
    /// <param name="descriptor">The descriptor.</param>
    /// <param name="outside">The vector where the selector lies past the table.</param>
    public static bool TryRead(
        Processor processor, Op* op, ushort selector, uint ext, out Descriptor descriptor, int outside = Vector.GeneralProtection)
    {
        descriptor = default;
        if (!TryLocate(processor, selector, 8, out ulong address))
        {
            processor.Raise(op, outside, (selector & 0xFFFCu) | ext);
            return false;
        }

        bool read = Load(processor, op, address, out ulong value);
        descriptor = new Descriptor(value);
        return read;
    }

    /// <summary>Reads a system descriptor: 16 bytes in long mode.</summary>
    public static bool TryReadSystem(
        Processor processor, Op* op, ushort selector, uint ext, out Descriptor descriptor, int outside = Vector.GeneralProtection)
    {
        descriptor = default;
        if (!processor.IsLongModeActive)
        {
            return TryRead(processor, op, selector, ext, out descriptor, outside);
        }

        if (!TryLocate(processor, selector, 16, out ulong address))
        {
            processor.Raise(op, outside, (selector & 0xFFFCu) | ext);
            return false;
        }

        if (!Load(processor, op, address, out ulong low) || !Load(processor, op, address + 8, out ulong high))
        {
            return false;
        }

        descriptor = new Descriptor(low) { UpperBase = (uint)high };
        return true;
    }

    /// <summary>Sets the accessed bit, in memory too, where it is clear.</summary>
    public static bool TrySetAccessed(Processor processor, Op* op, ushort selector, ref Descriptor descriptor)
    {
        if (descriptor.IsAccessed)
        {
            return true;
        }

        descriptor.SetAccessed();
        return TryStore(processor, op, selector, descriptor.Value);
    }

    /// <summary>Writes the first eight bytes of a descriptor back.</summary>
    public static bool TryStore(Processor processor, Op* op, ushort selector, ulong value)
    {
        TryLocate(processor, selector, 8, out ulong address);
        int level = processor.CurrentPrivilegeLevel;
        processor.Unit.ChangePrivilege(0, alignmentCheck: false);
        bool stored = processor.Store<Width64>(op, address, value);
        processor.SetPrivilege(level);
        return stored;
    }

    /// <summary>Whether a descriptor of so many bytes lies within its table.</summary>
    public static bool TryLocate(Processor processor, ushort selector, uint lengthBytes, out ulong address)
    {
        ref DescriptorTables tables = ref processor.Tables;
        bool isLocal = (selector & TableIndicator) != 0;
        ulong tableBase = isLocal ? tables.Ldt.Base : tables.GdtBase;
        uint limit = isLocal ? tables.Ldt.Limit : tables.GdtLimit;
        uint offset = selector & 0xFFF8u;
        address = tableBase + offset;
        bool hasTable = !isLocal || (tables.Ldt.Selector & 0xFFFC) != 0;
        return hasTable && offset + lengthBytes - 1 <= limit;
    }

    /// <summary>Reads eight bytes as an implicit supervisor access.</summary>
    public static bool Load(Processor processor, Op* op, ulong address, out ulong value)
    {
        int level = processor.CurrentPrivilegeLevel;
        if (level == 0 && !processor.Control.AlignmentCheck)
        {
            return processor.Load<Width64>(op, address, out value);
        }

        processor.Unit.ChangePrivilege(0, alignmentCheck: false);
        bool loaded = processor.Load<Width64>(op, address, out value);
        processor.SetPrivilege(level);
        return loaded;
    }
}
